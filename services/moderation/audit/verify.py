"""Verifying the audit: every trail, every seal, and that what stands is what was written last.

    python -m services.moderation.audit.verify verify

prints `OK` with counts, or the first bad entry, and exits 1. The database's account may be a reading one.
"""

import asyncio
import sys
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.moderation.audit.checkpoints import FIELDS, checkpoint_hash
from services.moderation.cases import audit_trail as chain
from services.moderation.cases.model import Case, case_of
from services.moderation.cases.rules import digest
from services.moderation.settings import ModerationSettings
from shared.storage.mongo import connect

USAGE: Final = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying found."""

    cases: int
    entries: int
    seals: int
    fault: str | None = None
    """The first bad entry, and what is wrong with it."""

    def __str__(self) -> str:
        if self.fault is not None:
            return f"BAD: {self.fault}"
        return f"OK: {self.cases} cases, {self.entries} entries, {self.seals} seals"


async def verify(cases: AsyncIterable[Mapping[str, Any]], seals: AsyncIterable[Mapping[str, Any]]) -> Verdict:
    """Check all trails and seals. Seals are read first, so that a running service cannot make them differ."""
    count, prev, sealed = 0, chain.START, dict[str, dict[int, str]]()
    async for seal in seals:
        count += 1
        if (wrong := _seal_fault(seal, count, prev)) is not None:
            return Verdict(0, 0, count, wrong)
        prev = seal["hash"]
        for head in seal["heads"]:
            sealed.setdefault(head["case"], {})[head["seq"]] = head["hash"]
    number, entries = 0, 0
    async for case in cases:
        number += 1
        entries += len(case.get("audit", ()))
        if (wrong := case_fault(case, sealed.pop(str(case["_id"]), {}))) is not None:
            return Verdict(number, entries, count, wrong)
    if sealed:
        return Verdict(number, entries, count, f"case {min(sealed)}: it was sealed and is gone")
    return Verdict(number, entries, count)


def _seal_fault(seal: Mapping[str, Any], number: int, prev: str) -> str | None:
    if sorted(seal) != sorted(FIELDS) or seal["_id"] != number:
        return f"seal {number}: it is missing, or fields are missing or added"
    if seal["prev"] != prev:
        return f"seal {number}: it does not follow the seal before it"
    try:
        hashed = checkpoint_hash(seal)
    except (TypeError, ValueError):
        hashed = ""
    return None if hashed == seal["hash"] else f"seal {number}: its content is not what was written"


def case_fault(case: Mapping[str, Any], sealed: Mapping[int, str]) -> str | None:
    """What is wrong with one case, given the heads of its trail that were sealed."""
    name, audit = str(case["_id"]), case.get("audit", [])
    if (wrong := chain.fault(name, audit)) is not None:
        return wrong
    if not audit:
        return f"case {name}: it has no trail"
    for seq, hashed in sealed.items():
        if seq > len(audit) or audit[seq - 1]["hash"] != hashed:
            return f"case {name}, entry {min(seq, len(audit))}: it is not what was sealed"
    if case["revision"] == 0:
        return None
    try:
        return _standing_fault(case_of(dict(case)), audit)
    except (KeyError, TypeError, ValueError):
        return f"case {name}: its fields are not what was written"


def _standing_fault(case: Case, audit: Sequence[Mapping[str, Any]]) -> str | None:
    """Whether the content and the decisions as they stand are those that the trail tells of."""
    if audit[-1]["content"] != digest(case.standing.content, case.standing.plan):
        return f"case {case.id}, entry {len(audit)}: the content is not what was decided on"
    made = {each["details"]["decision_id"]: each for each in audit if "decision_id" in each["details"]}
    erased = max((each["seq"] for each in audit if each["action"] == chain.ERASED), default=0)
    for number, record in enumerate(case.decisions, 1):
        entry = made.pop(record.decision_id, None)
        note = chain.digest_of(record.note)
        if note is None and entry is not None and entry["seq"] < erased:
            note = entry["details"]["note"]  # the trail alone still proves it
        if entry is None or (entry["actor"], entry["details"]["note"], entry["details"]["reasons"]) != (
            record.by,
            note,
            list(record.reasons),
        ):
            return f"case {case.id}, decision {number}: it is not what was written"
    return f"case {case.id}: decision {min(made)} is gone" if made else None


async def main() -> int:
    """Verify the running stack's audit."""
    settings = ModerationSettings.from_env()
    client = connect(settings.mongo_url, settings.mongo_driver, app="konullu-audit", timeout_ms=60_000)
    database = client[f"{settings.database_prefix}moderation"]
    try:
        seals = database["seals"].find({}).sort("_id", 1)
        verdict = await verify(database["cases"].find({}), seals)
    finally:
        await client.close()
    sys.stdout.write(f"{verdict}\n")
    return 0 if verdict.fault is None else 1


if __name__ == "__main__":
    if sys.argv[1:] != ["verify"]:
        sys.stderr.write("usage: python -m services.moderation.audit.verify verify\n")
        sys.exit(USAGE)
    sys.exit(asyncio.run(main()))
