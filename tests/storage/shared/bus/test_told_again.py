"""What an earlier version told unsigned is told once more, from the store."""

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from shared.bus.outbox import entry
from shared.bus.told_again import tell_again
from shared.events import SUBMISSION_WITHDRAWN, SubmissionWithdrawn
from shared.storage.document import Document
from shared.storage.mongo import Database


def entry_of(document: Document) -> Document:
    event = SubmissionWithdrawn(
        event_id=uuid5(NAMESPACE_URL, document["_id"]),
        occurred_at=datetime.now(UTC),
        subject_id=document["_id"],
        version=2,
    )
    return entry(SUBMISSION_WITHDRAWN, event)


async def told(database: Database) -> dict[str, list[str]]:
    return {
        each["_id"]: [item["event_id"] for item in each.get("outbox", [])]
        async for each in database["things"].find({})
    }


async def tell(database: Database) -> None:
    await tell_again(database["marks"], "ends", database["things"], {"ended": True}, entry_of)


async def test_each_that_is_meant_gets_its_entry_back_once_and_for_all(database: Database) -> None:
    things = database["things"]
    await things.insert_many([{"_id": "a", "ended": True}, {"_id": "b", "ended": False}])

    await tell(database)
    await things.insert_one({"_id": "c", "ended": True})
    await tell(database)

    assert await told(database) == {"a": [str(uuid5(NAMESPACE_URL, "a"))], "b": [], "c": []}
    found = await things.find_one({"_id": "a"})
    assert found is not None
    assert {"outbox_since", "outbox_urgent"} <= found.keys()


async def test_in_a_new_home_there_is_nothing_to_tell_now_or_later(database: Database) -> None:
    await tell(database)
    await database["things"].insert_one({"_id": "a", "ended": True})
    await tell(database)

    assert await told(database) == {"a": []}
