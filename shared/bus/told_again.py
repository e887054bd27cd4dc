"""Telling again, signed, what an earlier version told unsigned.

What it left in its streams cannot be told from a forgery, so nobody reads it there. The truth is in the store: once per
database, the service whose facts they are puts them into its outboxes anew. A consumer that had handled one changes nothing.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from shared.bus.outbox import appended
from shared.storage.document import Document
from shared.storage.mongo import Collection

log = structlog.get_logger()


async def tell_again(
    marks: Collection,
    name: str,
    collection: Collection,
    which: Document,
    entry_of: Callable[[Document], Document],
) -> None:
    """Unless `marks` says that it is done: give each document of `collection` that `which` finds the entry it once had.

    Cut short it begins anew, and the entries' constant ids let each be told once.
    """
    if await marks.find_one({"_id": name}) is not None:
        return
    found = await collection.find(which).to_list(None)
    for document in found:
        await collection.update_one({"_id": document["_id"]}, appended(entry_of(document)))
    if found:
        log.info("told_again", what=name, count=len(found))
    await marks.update_one({"_id": name}, {"$set": {"at": datetime.now(UTC)}}, upsert=True)
