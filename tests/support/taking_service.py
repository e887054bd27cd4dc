"""A service that takes its time for each event, singly or together, and notes how often it took it.

`python -m tests.support.taking_service singly|together`, as moderation, with a port base and a home of its own.
"""

import asyncio
import sys
from functools import partial
from typing import Final

from shared.bus.consuming import Batch, consume, consume_batches
from shared.events import SUBMISSION_WITHDRAWN, SubmissionWithdrawn
from shared.runtime.service import Parts, Runtime, run
from shared.settings import MODERATION, Settings
from shared.storage.mongo import Collection

SECONDS: Final = 0.05


def assemble(runtime: Runtime) -> Parts:
    taken: Collection = runtime.database["taken"]

    async def take(event: SubmissionWithdrawn) -> None:
        await asyncio.sleep(SECONDS)
        await taken.update_one({"_id": event.subject_id}, {"$inc": {"times": 1}}, upsert=True)

    async def take_together(batch: Batch) -> None:
        await asyncio.gather(*(take(each) for _, each in batch))

    if sys.argv[1] == "singly":
        consume(runtime.broker, SUBMISSION_WITHDRAWN, service="moderation")(take)
        return Parts()
    read = partial(
        consume_batches, runtime.link, runtime.settler, SUBMISSION_WITHDRAWN, take_together,
        service="moderation", size=16, linger=0.0,
    )  # fmt: skip
    return Parts(jobs={"together": read})


if __name__ == "__main__":
    sys.exit(run("moderation", MODERATION, Settings.from_env, assemble))
