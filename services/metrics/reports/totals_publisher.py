"""Tells the others how far a submission has reached: the latest totals, at most once in five seconds."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from services.metrics import telemetry
from services.metrics.counting.model import moment
from services.metrics.counting.service import Counts
from services.metrics.reports.totals import Total, totals_of
from shared.bus import outbox
from shared.events import REACH_TOTALLED, ReachFigure, ReachTotalled
from shared.runtime.service import Runtime
from shared.storage.document import Document
from shared.storage.mongo import Collection, DuplicateKeyError

QUIET: Final = timedelta(seconds=5)
LOOK_SECONDS: Final = 0.25
_FACTS: Final = uuid5(NAMESPACE_URL, "urn:konullu:reach-totals")

Totals = dict[str, Total]


class PublishedTotals(NamedTuple):
    """What was told last."""

    version: int
    totals: Totals
    at: datetime


def event_of(submission_id: str, version: int, totals: Totals, now: datetime) -> ReachTotalled:
    """The event that tells the totals. Its id follows from what it is about and its version. Pure."""
    return ReachTotalled(
        event_id=uuid5(_FACTS, f"{submission_id}/{version}"),
        occurred_at=now,
        subject_id=submission_id,
        version=version,
        totals={
            metric: ReachFigure(value=total.value, source=total.source, as_of=moment(total.as_of))
            for metric, total in totals.items()
        },
    )


class TotalsPublisher:
    """The collection `totals`: one document per submission, with the outbox in which its totals leave."""

    def __init__(self, collection: Collection, counts: Counts, runtime: Runtime) -> None:
        self.collection = collection
        self._counts, self._runtime = counts, runtime
        self._said: dict[str, PublishedTotals] = {}
        self._waiting: set[str] = set()

    async def prepare(self) -> None:
        """What was told before."""
        documents = await self.collection.find({}, {"outbox": 0}).to_list(None)
        self._said = {document["_id"]: _said(document) for document in documents}

    async def run(self) -> None:
        """Look for ever for totals that have changed."""
        while True:
            await self.announce(datetime.now(UTC))
            await asyncio.sleep(LOOK_SECONDS)

    async def announce(self, now: datetime) -> None:
        """Tell the totals that have changed, of those submissions about which nothing was told for five seconds."""
        self._waiting |= self._counts.touched
        self._counts.touched.clear()
        for submission_id in list(self._waiting):
            accounts = self._counts.accounts
            codes = accounts.by_submission.get(submission_id, [])
            totals = totals_of([accounts.by_code[code] for code in codes])
            said = self._said.get(submission_id)
            if not totals or (said is not None and said.totals == totals):
                self._waiting.discard(submission_id)
            elif said is None or now - said.at >= QUIET:
                await self._tell(submission_id, totals, said, now)
                self._waiting.discard(submission_id)

    async def _tell(
        self, submission_id: str, totals: Totals, said: PublishedTotals | None, now: datetime
    ) -> None:
        version = said.version + 1 if said else 1
        event = event_of(submission_id, version, totals, now)
        fields = {"version": version, "totals": {key: list(one) for key, one in totals.items()}, "at": now}
        entry = outbox.entry(REACH_TOTALLED, event)
        try:
            if said is None:
                await self.collection.insert_one({"_id": submission_id, **fields, **outbox.embedded(entry)})
                told = True
            else:
                result = await self.collection.update_one(
                    {"_id": submission_id, "version": said.version},
                    outbox.merge({"$set": fields}, outbox.appended(entry)),
                )
                told = result.matched_count == 1
        except DuplicateKeyError:
            told = False
        if told:
            self._said[submission_id] = PublishedTotals(version, totals, now)
            self._runtime.nudge(self.collection, submission_id)
            telemetry.totalled(submission_id)
            return
        # Another replica was faster: what it told is looked at the next time.
        found = await self.collection.find_one({"_id": submission_id}, {"outbox": 0})
        if found is not None:
            self._said[submission_id] = _said(found)
        self._counts.touched.add(submission_id)


def _said(document: Document) -> PublishedTotals:
    totals = {metric: Total(*figure) for metric, figure in document["totals"].items()}
    return PublishedTotals(document["version"], totals, document["at"])
