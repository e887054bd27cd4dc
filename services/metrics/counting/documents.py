"""Accounts and counters as documents. Pure.

Both are projections of the journal: they can be thrown away and worked out again. An account document is a picture of the
accounts of one shard after entry `upto`. A counter document holds the sums of all entries up to `upto` that concern it,
and is replaced only from exactly the state that the sums were added to. What they hold is one JSON text: the database takes
in a text eight times as fast as the same as nested fields, and never looks into it.
"""

from collections.abc import Iterable, Mapping, Sequence
from json import dumps, loads
from typing import Any, Final

from services.metrics.counting.delivery_reach import SHARDS, DeliveryReach, JournalEntry, KnownReach
from services.metrics.counting.journal import delivery_document, delivery_in
from services.metrics.counting.model import Dims, FigureSpan, ObservedFigure
from services.metrics.counting.sums import Sums, Table, key_of, postings, values_of
from shared.storage.document import Document

EVERY_SHARD: Final = range(SHARDS)


def account_id(generation: int, shard: int) -> str:
    """The name of an account document; a rebuild makes a new generation."""
    return f"{generation}/{shard}"


def counter_id(generation: int, table: Table) -> str:
    """The name of a counter document. One grouping's periods lie side by side, in their order."""
    return f"{generation}/{table.group}/{table.period}"


def table_of(id_: str) -> Table:
    """The table that a counter document is."""
    _, group, period = id_.split("/")
    return Table(period, group)


def counter_document(generation: int, table: Table, upto: int, sums: Sums) -> Document:
    """A counter document."""
    return {"_id": counter_id(generation, table), "upto": upto, "sums": dumps(sums, separators=(",", ":"))}


def sums_in(document: Mapping[str, Any]) -> Sums:
    """The sums that a counter document holds."""
    sums: Sums = loads(document["sums"])
    return sums


def additions(entries: Sequence[JournalEntry], accounts: KnownReach) -> dict[Table, Sums]:
    """What the entries add to the counters. `accounts` has taken in at least these entries."""

    def dims_of(code: str) -> Dims:
        delivery = accounts.by_code[code].delivery
        if delivery is None:
            text = f"the journal calls {code} known, but no delivery has it"
            raise LookupError(text)
        return delivery.dims

    return postings(entries, dims_of)


def account_document(accounts: KnownReach, shard: int, generation: int) -> Document:
    """One shard as it is now."""
    held = {code: _held(accounts.by_code[code]) for code in accounts.by_shard[shard]}
    return {
        "_id": account_id(generation, shard),
        "upto": accounts.number,
        "accounts": dumps(held, separators=(",", ":")),
    }


def _held(account: DeliveryReach) -> Document:
    document: Document = {
        "clicks": dict(account.clicks),
        "clicked_at": account.clicked_at,
        "figures": {
            key_of(*span, audience): figure
            for span, figures in account.figures.items()
            for audience, figure in figures.items()
        },
    }
    if account.delivery is not None:
        document["known"] = delivery_document(account.delivery)
    return document


def accounts_in(documents: Iterable[Mapping[str, Any]], accounts: KnownReach) -> dict[int, int]:
    """Take account documents into `accounts`; gives back up to which entry each of them goes."""
    ahead = {}
    for document in documents:
        ahead[int(document["_id"].partition("/")[2])] = int(document["upto"])
        for code, stored in loads(document["accounts"]).items():
            if known := stored.get("known"):
                accounts.know(delivery_in(known))
            _account_in(code, stored, accounts)
    return ahead


def _account_in(code: str, stored: Mapping[str, Any], accounts: KnownReach) -> None:
    account = accounts.of(code)
    account.clicks.update(stored["clicks"])
    account.clicked_at = stored["clicked_at"]
    for key, (value, observed, source) in stored["figures"].items():
        metric, kind, day, audience = values_of(key)
        accounts.figure(
            code, FigureSpan(metric, kind, day), audience, ObservedFigure(value, observed, source)
        )
