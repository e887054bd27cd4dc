"""`python -m services.metrics.counting.rebuild`: the counters worked out again from the journal, compared, and replaced.

Only the events themselves are read, none of what was worked out when they were admitted. Runs beside running processes:
the new counters are a new generation, which an entry of the journal makes valid for everybody at the same point.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.metrics import telemetry
from services.metrics.counting.delivery_reach import (
    JournalEntry,
    KnownReach,
    admit_clicks,
    admit_delivery,
    admit_samples,
    slots_of,
)
from services.metrics.counting.documents import (
    EVERY_SHARD,
    account_document,
    additions,
    counter_document,
    sums_in,
    table_of,
)
from services.metrics.counting.service import HEAD, Counts
from services.metrics.counting.sums import Sums, Table, merge
from services.metrics.settings import MetricsSettings
from shared.settings import SettingsError
from shared.storage.command import DatabaseRefused, database_of
from shared.storage.document import Document
from shared.storage.mongo import Database
from shared.storage.numbered_log import PAGE

NO_LIMIT: Final = sys.maxsize
WRITE_AT_ONCE: Final = 200


@dataclass(slots=True)
class Recount:
    """The accounts and counters that follow from the events of the journal. Pure."""

    accounts: KnownReach = field(default_factory=lambda: KnownReach(remembered=NO_LIMIT))
    tables: dict[Table, Sums] = field(default_factory=dict)
    repeated: int = 0
    """Events that the journal holds twice: there are none."""

    def take(self, entries: Sequence[JournalEntry]) -> None:
        """Count the events of some entries, as if they came for the first time."""
        taken = []
        for entry in entries:
            again = self._again(entry)
            self.repeated += len(entry.events) - (0 if again is None else len(again.events))
            self.accounts.number = entry.number - 1
            if again is not None:
                self.accounts.apply(again)
                taken.append(again)
            self.accounts.number = entry.number
        for table, sums in additions(taken, self.accounts).items():
            merge(self.tables.setdefault(table, {}), sums)

    def _again(self, entry: JournalEntry) -> JournalEntry | None:
        self.accounts.number = entry.number - 1
        memory = self.accounts.memory
        memory.learn(memory.missing(slots_of(entry.events)), ())
        if entry.clicks:
            return admit_clicks(self.accounts, entry.clicks)
        if entry.samples:
            return admit_samples(self.accounts, entry.samples)
        return None if entry.known is None else admit_delivery(self.accounts, entry.known)


def differences(right: Mapping[Table, Sums], found: Mapping[Table, Sums]) -> list[Table]:
    """The counters that are not what they should be, to the bit. Empty ones and missing ones are the same. Pure."""
    return sorted(table for table in {*right, *found} if right.get(table, {}) != found.get(table, {}))


class Rebuild:
    """One run on the database `metrics`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts = Counts(database)
        self.recount = Recount()

    async def read(self) -> int:
        """Count everything that the journal holds now; gives back the number of its last entry."""
        page: list[JournalEntry] = []
        async for entry in self._counts.journal.after(self.recount.accounts.number):
            page.append(entry)
            if len(page) == PAGE:
                self.recount.take(page)
                page = []
        self.recount.take(page)
        return self.recount.accounts.number

    async def compare(self) -> list[Table]:
        """The counters that differ, once the valid ones have come up to the journal."""
        await self._counts.prepare()
        await self._counts.drain()
        await self.read()
        generation = (await self._counts.head())["generation"]
        found: dict[Table, Sums] = {}
        bounds = {"$gte": f"{generation}/", "$lt": f"{generation}0"}
        async for document in self._database["counters"].find({"_id": bounds}):
            found[table_of(document["_id"])] = sums_in(document)
        different = differences(self.recount.tables, found)
        telemetry.rebuilt(self.recount.accounts.number, len(different))
        return different

    async def replace(self) -> int:
        """Make what was counted again the valid counters; gives back their generation."""
        while True:
            last = await self.read()
            generation = int((await self._counts.head())["generation"]) + 1
            await self._write(generation, last + 1)
            entry = JournalEntry(last + 1, "rebuilt", generation=generation)
            if await self._counts.journal.write(entry):
                break
        await self._database["heads"].update_one(
            {"_id": HEAD, "generation": {"$lt": generation}},
            {"$set": {"generation": generation, "folded": entry.number, "kept": entry.number}},
        )
        return generation

    async def _write(self, generation: int, upto: int) -> None:
        counters: list[Document] = [
            counter_document(generation, table, upto, sums) for table, sums in self.recount.tables.items()
        ]
        accounts = [account_document(self.recount.accounts, shard, generation) for shard in EVERY_SHARD]
        for name, documents in (("counters", counters), ("accounts", accounts)):
            # A run that was broken off may have left some of this generation.
            bounds = {"$gte": f"{generation}/", "$lt": f"{generation}0"}
            await self._database[name].delete_many({"_id": bounds})
            for start in range(0, len(documents), WRITE_AT_ONCE):
                await self._database[name].insert_many(documents[start : start + WRITE_AT_ONCE])


async def rebuild(settings: MetricsSettings, *, replace: bool) -> dict[str, Any]:
    """Compare, and replace if asked to; gives back what to tell."""
    async with database_of(settings, app="konullu-metrics-rebuild") as client:
        run = Rebuild(client[f"{settings.database_prefix}metrics"])
        different = await run.compare()
        return {
            "entries": run.recount.accounts.number,
            "repeated": run.recount.repeated,
            "different": [f"{table.period} by {table.group}" for table in different],
            "generation": await run.replace() if replace else None,
        }


def main() -> int:
    """Exit code 0 when the counters are what the events say, or were replaced; 1 when they differ."""
    parser = argparse.ArgumentParser(prog="python -m services.metrics.counting.rebuild", description=__doc__)
    parser.add_argument("--replace", action="store_true", help="make the new counters the valid ones")
    replace = parser.parse_args().replace
    try:
        told = asyncio.run(rebuild(MetricsSettings.from_env(), replace=replace))
    except (DatabaseRefused, SettingsError) as error:
        sys.stderr.write(f"recount: {error}\n")
        return 78
    for name, value in told.items():
        sys.stdout.write(f"{name}: {', '.join(value) or 'none' if isinstance(value, list) else value}\n")
    return 0 if replace or (not told["different"] and not told["repeated"]) else 1


if __name__ == "__main__":
    sys.exit(main())
