"""The journal: every admitted event of reach, in numbered documents, each written once. The source of a rebuild.

Whoever writes entry n has taken in all entries before it (`numbered.py`). So an event is admitted once, however often and
by however many replicas it is handled, and what an entry changes is worked out on the state that it follows.

Events are kept as columns: ids of 16 bytes, times and values of 8, codes as one JSON text, each other value once in a
table. A thousand events are a dozen fields, which the database takes in much faster than a thousand.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from json import dumps, loads
from struct import pack, unpack
from typing import Final

from services.metrics.counting.delivery_reach import SLOT_MS, JournalEntry, slots_of
from services.metrics.counting.model import Cell, Change, CountedClick, CountedDelivery, CountedSample, Dims
from shared.storage.document import Document
from shared.storage.mongo import Collection
from shared.storage.numbered_log import NumberedLog

ID_BYTES: Final = 16
SLOTS_AT_ONCE: Final = 25
"""Asked for together: a server may compare each entry with the whole list."""


def whole_numbers(values: Sequence[int]) -> bytes:
    """A column of numbers."""
    return pack(f"<{len(values)}q", *values)


def numbers(column: bytes) -> tuple[int, ...]:
    """What `whole_numbers` was given."""
    return unpack(f"<{len(column) // 8}q", column)


def texts(values: Sequence[str]) -> str:
    """A column of texts."""
    return dumps(values, separators=(",", ":"))


def ids(column: bytes) -> list[int]:
    """The ids in a column."""
    return [int.from_bytes(column[i : i + ID_BYTES]) for i in range(0, len(column), ID_BYTES)]


def document_of(entry: JournalEntry) -> Document:
    """An entry as it is stored."""
    events = entry.events
    document: Document = {
        "_id": entry.number,
        "kind": entry.kind,
        "slots": sorted(slots_of(events)),
        "ids": b"".join(event.id.to_bytes(ID_BYTES) for event in events),
        "times": whole_numbers([event.at for event in events]),
        "codes": texts([event.code for event in events]),
        "strays": sorted(entry.strays),
        "first": entry.sequences[0],
        "last": entry.sequences[1],
    }
    if entry.samples:
        document |= _samples_document(entry)
    if entry.changes:
        document |= _changes_document(entry.changes)
    if entry.known is not None:
        document["known"] = delivery_document(entry.known)
    if entry.generation:
        document["generation"] = entry.generation
    return document


def _samples_document(entry: JournalEntry) -> Document:
    forms: dict[tuple[str, ...], int] = {}
    form = [
        forms.setdefault((one.metric, one.kind, one.day, one.audience, one.source), len(forms))
        for one in entry.samples
    ]
    return {
        "forms": [list(one) for one in forms],
        "form": whole_numbers(form),
        "values": whole_numbers([one.value for one in entry.samples]),
        "observed": whole_numbers([one.observed for one in entry.samples]),
        "winners": whole_numbers(entry.winners),
    }


def _changes_document(changes: Sequence[Change]) -> Document:
    cells: dict[Cell, int] = {}
    place = [cells.setdefault(change.cell, len(cells)) for change in changes]
    return {
        "cells": [list(cell) for cell in cells],
        "change_codes": texts([change.code for change in changes]),
        "change_cells": whole_numbers(place),
        "change_values": whole_numbers([change.value for change in changes]),
        "change_figures": whole_numbers([change.figures for change in changes]),
        "change_times": whole_numbers([change.as_of for change in changes]),
    }


def delivery_document(delivery: CountedDelivery) -> Document:
    """A delivery as it is stored."""
    channel, language, country, section, hashtags = delivery.dims
    return {
        "code": delivery.code,
        "delivery": delivery.delivery_id,
        "submission": delivery.submission_id,
        "dims": [channel, language, country, section, list(hashtags)],
    }


def delivery_in(document: Document) -> CountedDelivery:
    """What `delivery_document` was given."""
    channel, language, country, section, hashtags = document["dims"]
    return CountedDelivery(
        document["code"],
        document["delivery"],
        document["submission"],
        Dims(channel, language, country, section, tuple(hashtags)),
    )


def entry_in(document: Document) -> JournalEntry:
    """What `document_of` was given."""
    events = list(
        zip(ids(document["ids"]), numbers(document["times"]), loads(document["codes"]), strict=True)
    )
    sampled = document["kind"] == "sampled"
    known = document.get("known")
    return JournalEntry(
        number=document["_id"],
        kind=document["kind"],
        clicks=() if sampled else tuple(CountedClick(*event) for event in events),
        samples=tuple(_samples_in(document, events)) if sampled else (),
        strays=frozenset(document["strays"]),
        winners=numbers(document.get("winners", b"")),
        changes=tuple(_changes_in(document)) if "cells" in document else (),
        known=delivery_in(known) if known else None,
        generation=document.get("generation", 0),
        sequences=(document["first"], document["last"]),
    )


def _samples_in(document: Document, events: Sequence[tuple[int, int, str]]) -> Iterable[CountedSample]:
    columns = zip(
        events,
        numbers(document["form"]),
        numbers(document["values"]),
        numbers(document["observed"]),
        strict=True,
    )
    for (id_, at, code), form, value, observed in columns:
        metric, kind, day, audience, source = document["forms"][form]
        yield CountedSample(id_, at, code, metric, kind, day, audience, value, observed, source)


def _changes_in(document: Document) -> Iterable[Change]:
    cells = [Cell(*cell) for cell in document["cells"]]
    columns = zip(
        loads(document["change_codes"]),
        numbers(document["change_cells"]),
        numbers(document["change_values"]),
        numbers(document["change_figures"]),
        numbers(document["change_times"]),
        strict=True,
    )
    for code, cell, value, figures, as_of in columns:
        yield Change(code, cells[cell], value, figures, as_of)


class Journal:
    """The numbered documents."""

    def __init__(self, collection: Collection) -> None:
        self._collection, self._log = collection, NumberedLog(collection)

    async def prepare(self) -> None:
        """The index by which it is found whether an event was admitted."""
        await self._collection.create_index([("slots", 1)], name="slots")

    async def write(self, *entries: JournalEntry) -> int:
        """Write consecutive entries; how many of the first took their numbers before somebody else did."""
        return await self._log.append([document_of(entry) for entry in entries])

    async def after(self, number: int, until: int | None = None) -> AsyncIterator[JournalEntry]:
        """The entries behind a number, in order. Raises `Unavailable` when one is missing in between."""
        async for document in self._log.after(number, until):
            yield entry_in(document)

    async def ids_of(self, slots: Iterable[int]) -> list[tuple[int, int]]:
        """Every admitted event of these slots, as `(slot, id)`."""
        found = []
        asked = sorted(set(slots))
        for start in range(0, len(asked), SLOTS_AT_ONCE):
            wanted = set(asked[start : start + SLOTS_AT_ONCE])
            cursor = self._collection.find({"slots": {"$in": sorted(wanted)}}, {"ids": 1, "times": 1})
            for document in await cursor.to_list(None):
                for id_, at in zip(ids(document["ids"]), numbers(document["times"]), strict=True):
                    if at // SLOT_MS in wanted:
                        found.append((at // SLOT_MS, id_))
        return found
