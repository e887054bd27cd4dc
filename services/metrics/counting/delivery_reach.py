"""What is known of every delivery's reach, and what a batch of events adds to it. Pure; no clock, no store.

The journal (`journal.py`) is the order in which everything happened. A `JournalEntry` is one step of it: the events it
admits, and, worked out by the one who writes it, what they change. `KnownReach` is what all entries up to one add up to.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, TypeVar
from zlib import crc32

from services.metrics.counting.model import (
    REACHED,
    Change,
    CountedClick,
    CountedDelivery,
    CountedSample,
    FigureSpan,
    ObservedFigure,
    changes,
    click_changes,
    day_of,
    standing,
)

SLOT_MS: Final = 600_000
"""Event ids are remembered by the ten minutes in which their events occurred."""
SHARDS: Final = 32
REMEMBERED_IDS: Final = 300_000
"""Ids kept in memory; older slots are read again when an event of theirs comes."""

E = TypeVar("E", CountedClick, CountedSample)
Kind = Literal["clicked", "sampled", "known", "rebuilt"]


class Figured(NamedTuple):
    """A figure that took its place."""

    code: str
    span: FigureSpan
    audience: str
    figure: ObservedFigure


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step of the journal."""

    number: int
    kind: Kind
    clicks: tuple[CountedClick, ...] = ()
    samples: tuple[CountedSample, ...] = ()
    strays: frozenset[str] = frozenset()
    """Codes whose delivery was not known yet."""
    winners: tuple[int, ...] = ()
    """Which of the samples took their place."""
    changes: tuple[Change, ...] = ()
    known: CountedDelivery | None = None
    generation: int = 0
    """For `rebuilt`: the counters that are valid from here on."""
    sequences: tuple[int, int] = (0, 0)
    """First and last sequence in the stream."""

    def clicked(self) -> dict[tuple[str, str], tuple[int, int]]:
        """How often each code was followed on each day, and when last."""
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for _, at, code in self.clicks:
            key = (code, day_of(at))
            before = found.get(key)
            found[key] = (1, at) if before is None else (before[0] + 1, max(before[1], at))
        return found

    def figured(self) -> Iterator[Figured]:
        """The figures that took their place."""
        for index in self.winners:
            sample = self.samples[index]
            span = FigureSpan(sample.metric, sample.kind, sample.day)
            yield Figured(
                sample.code,
                span,
                sample.audience,
                ObservedFigure(sample.value, sample.observed, sample.source),
            )

    def codes(self) -> set[str]:
        """Whose accounts it changes."""
        found = {event.code for event in self.events}
        return found if self.known is None else found | {self.known.code}

    @property
    def events(self) -> tuple[CountedClick, ...] | tuple[CountedSample, ...]:
        """What it admits, of either kind."""
        return self.clicks or self.samples


@dataclass(slots=True)
class DeliveryReach:
    """The reach of one delivery."""

    delivery: CountedDelivery | None = None
    clicks: dict[str, int] = field(default_factory=dict)
    """By day."""
    clicked_at: int = 0
    figures: dict[FigureSpan, dict[str, ObservedFigure]] = field(default_factory=dict)
    """By what they stand for, then by audience."""


class AdmittedIds:
    """The ids of admitted events, slot by slot; slots that were not used lately are forgotten and can be read again."""

    def __init__(self, limit: int = REMEMBERED_IDS) -> None:
        self._slots: OrderedDict[int, set[int]] = OrderedDict()
        self._limit = limit
        self._size = 0

    def missing(self, slots: Iterable[int]) -> set[int]:
        """Those slots that must be given with `learn` before `knows` may be asked about them."""
        return {slot for slot in slots if slot not in self._slots}

    def learn(self, slots: Iterable[int], ids: Iterable[tuple[int, int]]) -> None:
        """Take in whole slots: all `(slot, id)` that the journal holds for them."""
        for slot in slots:
            self._slots.setdefault(slot, set())
        self.add(ids)

    def add(self, ids: Iterable[tuple[int, int]]) -> None:
        """Remember admitted events, where their slot is in memory."""
        slots = self._slots
        for slot, id_ in ids:
            known = slots.get(slot)
            if known is not None and id_ not in known:
                known.add(id_)
                self._size += 1

    def of(self, slot: int) -> set[int]:
        """The ids of one slot, which counts as used."""
        self._slots.move_to_end(slot)
        return self._slots[slot]

    def forget(self, needed: set[int]) -> None:
        """Make room, but keep the slots that are needed now."""
        while self._size > self._limit and len(self._slots) > len(needed):
            oldest = next(iter(self._slots))
            if oldest in needed:
                self._slots.move_to_end(oldest)
                continue
            self._size -= len(self._slots.pop(oldest))


def slots_of(events: Sequence[CountedClick] | Sequence[CountedSample]) -> set[int]:
    """When events occurred."""
    return {event.at // SLOT_MS for event in events}


def shard_of(code: str) -> int:
    """In which of the account documents a code is kept."""
    return crc32(code.encode()) % SHARDS


class KnownReach:
    """What all entries of the journal up to `number` add up to."""

    def __init__(self, *, remembered: int = REMEMBERED_IDS) -> None:
        self.number = 0
        self.generation = 1
        self.by_code: dict[str, DeliveryReach] = {}
        self.by_shard: list[list[str]] = [[] for _ in range(SHARDS)]
        """The same codes by the document that they are kept in."""
        self.by_submission: dict[str, list[str]] = {}
        self.with_people: dict[str, int] = {}
        """Codes of deliveries of which it is known how many people they reached, with their last change."""
        self.people_changed = 0
        """Goes up whenever a figure of people reached, or the delivery of one, comes."""
        self.memory = AdmittedIds(remembered)

    def of(self, code: str) -> DeliveryReach:
        """The account of a code, opened when it is the first."""
        account = self.by_code.get(code)
        if account is None:
            account = self.by_code[code] = DeliveryReach()
            self.by_shard[shard_of(code)].append(code)
        return account

    def figure(self, code: str, span: FigureSpan, audience: str, figure: ObservedFigure) -> None:
        """From now on this is the figure."""
        self.of(code).figures.setdefault(span, {})[audience] = figure
        if span.metric == REACHED:
            self._people_change(code)

    def _people_change(self, code: str) -> None:
        self.people_changed += 1
        self.with_people[code] = self.people_changed

    def know(self, delivery: CountedDelivery) -> None:
        """From now on the code is this delivery's."""
        self.of(delivery.code).delivery = delivery
        if delivery.code in self.with_people:
            self._people_change(delivery.code)
        codes = self.by_submission.setdefault(delivery.submission_id, [])
        if delivery.code not in codes:
            codes.append(delivery.code)

    def is_known(self, code: str) -> bool:
        """Whether a delivery has this code."""
        account = self.by_code.get(code)
        return account is not None and account.delivery is not None

    def apply(self, entry: JournalEntry, ahead: Mapping[int, int] | None = None) -> None:
        """Take one step. `ahead` says how far those shards had come already that were loaded from the store."""
        done = ahead or {}
        number = entry.number
        for (code, day), (count, latest) in entry.clicked().items():
            if done.get(shard_of(code), 0) < number:
                account = self.of(code)
                account.clicks[day] = account.clicks.get(day, 0) + count
                account.clicked_at = max(account.clicked_at, latest)
        for code, span, audience, figure in entry.figured():
            if done.get(shard_of(code), 0) < number:
                self.figure(code, span, audience, figure)
        if entry.known is not None:
            self.know(entry.known)
        self.memory.add((event.at // SLOT_MS, event.id) for event in entry.events)
        self.number = number


def fresh_of(accounts: KnownReach, events: Iterable[E]) -> tuple[E, ...]:
    """Those events that the journal has not admitted, each once. Their slots must be in memory."""
    fresh: list[E] = []
    taken: dict[int, tuple[set[int], set[int]]] = {}
    for event in events:
        slot = event.at // SLOT_MS
        if slot not in taken:
            taken[slot] = (accounts.memory.of(slot), set())
        known, new = taken[slot]
        if event.id not in known and event.id not in new:
            new.add(event.id)
            fresh.append(event)
    return tuple(fresh)


def admit_clicks(accounts: KnownReach, clicks: Sequence[CountedClick]) -> JournalEntry | None:
    """The next entry, with those clicks that are new; none when there are none."""
    fresh = fresh_of(accounts, clicks)
    if not fresh:
        return None
    codes = {click.code for click in fresh}
    strays = frozenset(code for code in codes if not accounts.is_known(code))
    return JournalEntry(accounts.number + 1, "clicked", clicks=fresh, strays=strays)


def admit_samples(accounts: KnownReach, samples: Sequence[CountedSample]) -> JournalEntry | None:
    """The next entry, with those samples that are new, the figures that take their place, and what that changes."""
    fresh = fresh_of(accounts, samples)
    if not fresh:
        return None
    touched: dict[tuple[str, FigureSpan], dict[str, ObservedFigure]] = {}
    winners: dict[tuple[str, FigureSpan, str], int] = {}
    for index, sample in enumerate(fresh):
        span = FigureSpan(sample.metric, sample.kind, sample.day)
        key = (sample.code, span)
        if key not in touched:
            account = accounts.by_code.get(sample.code)
            touched[key] = dict(account.figures.get(span, {})) if account else {}
        figure = ObservedFigure(sample.value, sample.observed, sample.source)
        if figure.beats(touched[key].get(sample.audience)):
            touched[key][sample.audience] = figure
            winners[(*key, sample.audience)] = index
    found: list[Change] = []
    for (code, span), after in touched.items():
        account = accounts.by_code.get(code)
        if account is not None and account.delivery is not None:
            before = account.figures.get(span, {})
            found += changes(code, standing(span, before), standing(span, after))
    return JournalEntry(
        accounts.number + 1,
        "sampled",
        samples=fresh,
        strays=frozenset(code for code, _ in touched if not accounts.is_known(code)),
        winners=tuple(winners.values()),
        changes=tuple(found),
    )


def admit_delivery(accounts: KnownReach, delivery: CountedDelivery) -> JournalEntry | None:
    """The next entry when the delivery was not known: what came for it before now finds its place."""
    if accounts.is_known(delivery.code):
        return None
    account = accounts.by_code.get(delivery.code, DeliveryReach())
    found = list(click_changes(delivery.code, account.clicks, account.clicked_at))
    for span, figures in account.figures.items():
        found += changes(delivery.code, {}, standing(span, figures))
    return JournalEntry(accounts.number + 1, "known", known=delivery, changes=tuple(found))


def admit_deliveries(accounts: KnownReach, deliveries: Iterable[CountedDelivery]) -> list[JournalEntry]:
    """The next entries, one for each delivery that was not known. What one changes has no part in another."""
    unknown = {one.code: one for one in deliveries if not accounts.is_known(one.code)}
    entries = [admit_delivery(accounts, one) for one in unknown.values()]
    return [
        replace(entry, number=accounts.number + place)
        for place, entry in enumerate(filter(None, entries), start=1)
    ]


def in_sequence(entry: JournalEntry, first: int, last: int) -> JournalEntry:
    """The entry with where its events lie in the stream."""
    return replace(entry, sequences=(first, last))
