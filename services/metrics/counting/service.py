"""Counting exactly once: the journal first, the counters after it, each at its own pace.

`count` admits a batch with one write, an entry of the journal, and returns; only then is the batch acknowledged. `fold`
adds entries to the counters, many at a time; `checkpoint` stores the accounts now and then, so that a restart need not
read the whole journal. All may be run by any number of replicas and be killed anywhere: an entry's number can be
written once, and a counter takes an entry only from the state that it was in before it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from services.metrics import telemetry
from services.metrics.counting.counters import CounterTables
from services.metrics.counting.delivery_reach import (
    JournalEntry,
    KnownReach,
    admit_clicks,
    admit_deliveries,
    admit_samples,
    in_sequence,
    shard_of,
    slots_of,
)
from services.metrics.counting.documents import (
    EVERY_SHARD,
    account_document,
    account_id,
    accounts_in,
    additions,
)
from services.metrics.counting.journal import Journal
from services.metrics.counting.model import CountedClick, CountedDelivery, CountedSample
from services.metrics.counting.offers import Offer, shares
from services.metrics.counting.sums import Sums, Table
from shared.concurrency.batcher import Batcher
from shared.concurrency.wake_up import woken
from shared.failures import Unavailable
from shared.storage.document import Document
from shared.storage.mongo import Database, DuplicateKeyError
from shared.storage.numbered_log import PAGE

FOLD_SECONDS: Final = 0.15
"""When no entry came for so long, the counters are brought up to those that did."""
LONGEST_FOLD_SECONDS: Final = 1.5
"""When entries keep coming, the counters are brought up to them so often."""
CHECKPOINT_SECONDS: Final = 10.0
"""How often the accounts are stored, at most. A restart reads the journal from there on."""
CHECKPOINT_SHARE: Final = 50
"""The more there are, the rarer: storing them takes no more than this part of the time."""
FOLLOW_SECONDS: Final = 0.5
"""How often entries of other replicas are looked for when this one writes none."""
RECENT: Final = 4 * PAGE
OFFERS: Final = 8
"""Batches that share an entry at most."""
HEAD: Final = "head"

Admission = Callable[[KnownReach], JournalEntry | None]


class Counts:
    """The journal, the accounts that follow from it, and the counters, in the database `metrics`."""

    def __init__(self, database: Database) -> None:
        self.journal = Journal(database["journal"])
        self.accounts = KnownReach()
        self.touched: set[str] = set()
        """Submissions whose reach has changed since somebody took them out."""
        self.counters = CounterTables(database["counters"])
        self._changed: set[int] = set()
        """Shards whose accounts have changed since their last checkpoint."""
        self._accounts = database["accounts"]
        self._heads = database["heads"]
        self._recent: deque[JournalEntry] = deque(maxlen=RECENT)
        self._lock = asyncio.Lock()
        self._clicks = Batcher(self._admit_clicks, most=OFFERS)
        self._samples = Batcher(self._admit_samples, most=OFFERS)
        self._written = asyncio.Event()

    async def prepare(self) -> None:
        """Indexes, and everything that the journal says so far."""
        await self.journal.prepare()
        async with self._lock:
            await self._load()

    async def count(
        self, events: Sequence[CountedClick] | Sequence[CountedSample], *, first: int = 0, last: int = 0
    ) -> int:
        """Admit those events that are new; how many were. Returns when they are stored for good.

        `first` and `last` are their sequences in the stream, for those who look for an event.
        """
        clicks = [event for event in events if isinstance(event, CountedClick)]
        samples = [event for event in events if isinstance(event, CountedSample)]
        admitted = 0
        if clicks:
            admitted += await self._clicks.call(Offer(clicks, first, last))
        if samples:
            admitted += await self._samples.call(Offer(samples, first, last))
        telemetry.counted(admitted, repeated=len(events) - admitted)
        return admitted

    async def _admit_clicks(self, offers: Sequence[Offer[CountedClick]]) -> list[int]:
        clicks = [event for offer in offers for event in offer.events]
        entry = await self._append(lambda accounts: admit_clicks(accounts, clicks), clicks, offers)
        return shares(offers, entry)

    async def _admit_samples(self, offers: Sequence[Offer[CountedSample]]) -> list[int]:
        samples = [event for offer in offers for event in offer.events]
        entry = await self._append(lambda accounts: admit_samples(accounts, samples), samples, offers)
        return shares(offers, entry)

    async def know(self, deliveries: Sequence[CountedDelivery]) -> list[CountedDelivery]:
        """Give codes their deliveries; what was counted for a code before is broken down from now on too.

        Gives back those that were not known.
        """
        found: list[CountedDelivery] = []
        async with self._lock:
            while entries := admit_deliveries(self.accounts, deliveries):
                written = await self.journal.write(*entries[:PAGE])
                for entry in entries[:written]:
                    self._take(entry)
                found += [entry.known for entry in entries[:written] if entry.known is not None]
                if not written:
                    await self._follow()
        return found

    async def _append(
        self,
        admit: Admission,
        events: Sequence[CountedClick] | Sequence[CountedSample],
        offers: Sequence[Offer[Any]],
    ) -> JournalEntry | None:
        first, last = min(offer.first for offer in offers), max(offer.last for offer in offers)
        slots = slots_of(events)
        async with self._lock:
            while True:
                memory = self.accounts.memory
                if missing := memory.missing(slots):
                    memory.learn(missing, await self.journal.ids_of(missing))
                memory.forget(slots)
                entry = admit(self.accounts)
                if entry is None:
                    return None
                entry = in_sequence(entry, first, last)
                if await self.journal.write(entry):
                    self._take(entry)
                    return entry
                await self._follow()

    async def follow(self) -> None:
        """Take in what other replicas have written."""
        async with self._lock:
            await self._follow()

    async def _follow(self) -> None:
        async for entry in self.journal.after(self.accounts.number):
            if entry.generation > self.accounts.generation:
                await self._adopt(entry)
                await self._load()
                return
            self._take(entry)

    def _take(self, entry: JournalEntry) -> None:
        self.accounts.apply(entry)
        self._recent.append(entry)
        self._changed |= {shard_of(code) for code in entry.codes()}
        for code in entry.codes():
            delivery = self.accounts.by_code[code].delivery
            if delivery is not None:
                self.touched.add(delivery.submission_id)
        self._written.set()

    async def _load(self) -> None:
        """Start anew from the account documents and the entries behind them."""
        while True:
            head = await self.head()
            accounts = KnownReach()
            accounts.generation = head["generation"]
            accounts.number = head["kept"]
            ids = [account_id(head["generation"], shard) for shard in EVERY_SHARD]
            documents = await self._accounts.find({"_id": {"$in": ids}}).to_list(None)
            ahead = accounts_in(documents, accounts)
            self._recent.clear()
            changed: set[int] = set()
            newer = None
            async for entry in self.journal.after(head["kept"]):
                if entry.generation > head["generation"]:
                    newer = entry
                    break
                accounts.apply(entry, ahead)
                self._recent.append(entry)
                changed |= {shard_of(code) for code in entry.codes()}
            if newer is None and (await self.head())["generation"] == head["generation"]:
                self.accounts, self._changed = accounts, changed
                self.touched.update(accounts.by_submission)
                return
            if newer is not None:
                await self._adopt(newer)

    async def _adopt(self, rebuilt: JournalEntry) -> None:
        """Whoever reads of a rebuild first makes its counters the valid ones."""
        await self._heads.update_one(
            {"_id": HEAD, "generation": {"$lt": rebuilt.generation}},
            {"$set": {"generation": rebuilt.generation, "folded": rebuilt.number, "kept": rebuilt.number}},
        )

    async def head(self) -> Document:
        """Which generation is valid, and up to which entry its counters are `folded` and its accounts `kept`."""
        found = await self._heads.find_one({"_id": HEAD})
        if found is None:
            found = {"_id": HEAD, "generation": 1, "folded": 0, "kept": 0}
            try:
                await self._heads.insert_one(found)
            except DuplicateKeyError:
                return await self.head()
        return found

    async def run(self) -> None:
        """Keep counters and accounts up to the journal, for ever."""
        loop = asyncio.get_running_loop()
        stored_at, took = loop.time(), 0.0
        while True:
            if not await woken(self._written, FOLLOW_SECONDS):
                await self.follow()
            self._written.clear()
            await self._gather()
            await self.drain()
            began = loop.time()
            if began - stored_at > max(CHECKPOINT_SECONDS, took * CHECKPOINT_SHARE):
                await self.checkpoint()
                stored_at = loop.time()
                took = stored_at - began

    async def _gather(self) -> None:
        """Let entries gather while they keep coming: adding must not keep others from being counted."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_FOLD_SECONDS
        number = -1
        while loop.time() < until and number != self.accounts.number:
            number = self.accounts.number
            await asyncio.sleep(FOLD_SECONDS)

    async def drain(self) -> None:
        """Bring the counters up to the journal."""
        while await self.fold():
            pass

    async def fold(self) -> bool:
        """Add the next entries to the counters; False when there are none."""
        head = await self.head()
        if head["generation"] != self.accounts.generation:
            await self.follow()
            return True
        folded, last = head["folded"], min(self.accounts.number, head["folded"] + RECENT)
        if folded >= last:
            return False
        entries = await self._entries(folded, last)
        accounts = self.accounts

        def since(number: int) -> dict[Table, Sums]:
            return additions([entry for entry in entries if entry.number > number], accounts)

        if await self.counters.add(since, head["generation"], folded, last):
            await self._heads.update_one(
                {"_id": HEAD, "generation": head["generation"], "folded": {"$lt": last}},
                {"$set": {"folded": last}},
            )
            telemetry.folded(last - folded)
        return True

    async def checkpoint(self) -> None:
        """Store the accounts that have changed since the last time, shard by shard, each as it is at its moment."""
        head = await self.head()
        accounts = self.accounts
        if head["generation"] != accounts.generation or accounts.number <= head["kept"]:
            return
        number, shards = accounts.number, sorted(self._changed)
        for shard in shards:
            self._changed.discard(shard)
            try:
                await self._store(account_document(accounts, shard, accounts.generation))
            except BaseException:
                self._changed.add(shard)
                raise
        await self._heads.update_one(
            {"_id": HEAD, "generation": accounts.generation, "kept": {"$lt": number}},
            {"$set": {"kept": number}},
        )

    async def _store(self, document: Document) -> None:
        """Replace an older account document; one that somebody stored later stays."""
        older = {"_id": document["_id"], "upto": {"$lt": document["upto"]}}
        try:
            await self._accounts.replace_one(older, document, upsert=True)
        except DuplicateKeyError:
            return

    async def _entries(self, after: int, until: int) -> list[JournalEntry]:
        recent = [entry for entry in self._recent if after < entry.number <= until]
        if [entry.number for entry in recent] == list(range(after + 1, until + 1)):
            return recent
        found = [entry async for entry in self.journal.after(after, until)]
        if len(found) != until - after:
            text = f"the journal (entries {after + 1} to {until} cannot be read whole)"
            raise Unavailable(text)
        return found
