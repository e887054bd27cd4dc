"""The audit trail of a case: entries, each of which carries the hash of the one before. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import rfc8785

from shared.events import as_utc

START: Final = "0" * 64
"""What the first entry has before it."""


ERASED: Final = "erased"
"""The action after which the texts that the entries before it speak of are gone."""
MARKS: Final = 1024


def mark_of(case: str) -> int:
    """The value that marks a case whose trail is in no checkpoint yet: anywhere below `MARKS`, evenly."""
    return crc32(case.encode()) % MARKS


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did to a case."""

    case: str
    seq: int
    """Counts from 1."""
    at: str
    """RFC 3339 in UTC."""
    actor: str
    """A person's pseudonymous id, or `system`."""
    action: str
    content: str
    """SHA-256 of the content and the plan as they were after it; empty where there was none."""
    details: Mapping[str, Any]
    prev: str
    hash: str

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {**asdict(self), "details": dict(self.details)}


def hash_of(body: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of all but the hash itself."""
    return hashlib.sha256(rfc8785.dumps({k: v for k, v in body.items() if k != "hash"})).hexdigest()


def digest_of(text: str | None) -> str | None:
    """SHA-256, in hexadecimal, of what somebody wrote: the trail proves it without keeping it."""
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def append(
    last: AuditEntry | None,
    *,
    case: str,
    at: datetime,
    actor: str,
    action: str,
    content: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """The entry that follows `last`."""
    body: dict[str, Any] = {
        "case": case,
        "seq": last.seq + 1 if last else 1,
        "at": as_utc(at),
        "actor": actor,
        "action": action,
        "content": content,
        "details": dict(details or {}),
        "prev": last.hash if last else START,
    }
    return AuditEntry(**body, hash=hash_of(body))


DECIDED: Final = "konullu decision 1"
"""What a signature of a decision's entry is about."""


def statement_of(entry: Mapping[str, Any]) -> dict[str, str | int]:
    """What is signed of a stored entry: its hash stands for all that is in it and before it."""
    return {name: entry[name] for name in ("case", "seq", "hash")}


def entry_of(document: Mapping[str, Any]) -> AuditEntry:
    """The entry in a stored document. Raises `TypeError` when a field is missing or too many."""
    return AuditEntry(**document)


def fault(case: str, documents: Sequence[Mapping[str, Any]]) -> str | None:
    """What is wrong with a case's trail, naming the first bad entry; `None` when nothing is."""
    prev = START
    for number, document in enumerate(documents, 1):
        name = f"case {case}, entry {number}"
        if sorted(document) != sorted(AuditEntry.__slots__):
            return f"{name}: fields are missing or added"
        if document["case"] != case or document["seq"] != number:
            return f"{name}: it belongs elsewhere"
        if document["prev"] != prev:
            return f"{name}: it does not follow the entry before it"
        try:
            hashed = hash_of(document)
        except (rfc8785.CanonicalizationError, TypeError, ValueError):
            return f"{name}: its content is not what was written"
        if document["hash"] != hashed:
            return f"{name}: its content is not what was written"
        prev = hashed
    return None
