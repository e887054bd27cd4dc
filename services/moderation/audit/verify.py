"""Verifying the audit: every trail, every checkpoint and its signature, and that what stands is what was written last. Pure.

A checkpoint that was written anew needs moderation's key; one that was written anew with the key does not fit a head that
was exported before.
"""

from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.moderation.audit.checkpoints import FIELDS, checkpoint_hash
from services.moderation.audit.head import Head, HeadRefused
from services.moderation.audit.mark import UnsignedMark
from services.moderation.cases import audit_trail as chain
from services.moderation.cases.audit_trail import DECIDED, statement_of
from services.moderation.cases.model import Case, case_of
from services.moderation.cases.rules import digest
from shared.identity.statements import Seal, StatementRefused, check


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying found."""

    cases: int
    entries: int
    seals: int
    fault: str | None = None
    """The first bad entry, and what is wrong with it."""
    unsigned: int = 0
    """Checkpoints from before signatures, which only those after them vouch for."""
    against: Head | None = None
    """The exported head that was found in the chain."""

    def __str__(self) -> str:
        if self.fault is not None:
            return f"BAD: {self.fault}"
        said = f"OK: {self.cases} cases, {self.entries} entries, {self.seals} seals"
        if self.unsigned:
            said += f", {self.unsigned} of them older than signatures"
        if self.against is not None:
            said += f"; exported head {self.against.number} of {self.against.at} is in the chain"
        return said


@dataclass(slots=True)
class _Sealed:
    """What the checkpoints say, gone through from the first one on."""

    keys: Mapping[str, Ed25519PublicKey]
    mark: UnsignedMark | None
    against: Head | None
    count: int = 0
    unsigned: int = 0
    prev: str = chain.START
    heads: dict[str, dict[int, str]] = field(default_factory=dict)
    """The sealed hashes of each case's trail, by their place in it."""
    unsigned_upto: dict[str, int] = field(default_factory=dict)
    """Up to which place of a trail a checkpoint vouches that may be unsigned."""

    def take(self, seal: Mapping[str, Any]) -> str | None:
        """Take in the next; what is wrong with it."""
        self.count += 1
        if (wrong := self._fault(seal)) is not None:
            return f"seal {self.count}: {wrong}"
        self.prev = seal["hash"]
        for head in seal["heads"]:
            self.heads.setdefault(head["case"], {})[head["seq"]] = head["hash"]
            if self._may_be_unsigned:
                seen = self.unsigned_upto.get(head["case"], 0)
                self.unsigned_upto[head["case"]] = max(seen, head["seq"])
        return None

    @property
    def _may_be_unsigned(self) -> bool:
        """Whether it is as old as that. Without the mark, which only the home has, all before the first signed one are."""
        if self.mark is None:
            return self.unsigned == self.count
        return self.count <= self.mark.until

    def _fault(self, seal: Mapping[str, Any]) -> str | None:
        signed = "signature" in seal
        self.unsigned += not signed
        wanted = (*FIELDS, "signature") if signed else FIELDS
        if sorted(seal) != sorted(wanted) or seal["_id"] != self.count:
            return "it is missing, or fields are missing or added"
        if seal["prev"] != self.prev:
            return "it does not follow the seal before it"
        try:
            hashed = checkpoint_hash(seal)
        except (TypeError, ValueError):
            hashed = ""
        if hashed != seal["hash"]:
            return "its content is not what was written"
        return self._stranger(hashed) or self._unsigned(seal)

    def _stranger(self, hashed: str) -> str | None:
        """Whether it stands where something else is known to have stood."""
        if self.mark is not None and self.count == self.mark.until and hashed != self.mark.hash:
            return "it is not the one after which signing began"
        if self.against is not None and self.against.number == self.count and self.against.hash != hashed:
            return "it is not the one that was exported"
        return None

    def _unsigned(self, seal: Mapping[str, Any]) -> str | None:
        """Whether it lacks a good signature that it must have."""
        if "signature" not in seal:
            return None if self._may_be_unsigned else "it is not signed"
        try:
            Head.of(seal).check(self.keys)
        except (HeadRefused, StatementRefused) as refused:
            return str(refused)
        return None

    def missing(self) -> str | None:
        """What the chain lacks at its end."""
        if self.against is not None and self.count < self.against.number:
            return f"seal {self.against.number}: it was exported and is gone"
        if self.mark is not None and self.count < self.mark.until:
            return f"seal {self.mark.until}: signing began after it, and it is gone"
        if self.mark is None and self.count and self.unsigned == self.count:
            return "no seal is signed, and this home does not say that they may be unsigned"
        return None


async def verify(
    cases: AsyncIterable[Mapping[str, Any]],
    seals: AsyncIterable[Mapping[str, Any]],
    *,
    keys: Mapping[str, Ed25519PublicKey],
    mark: UnsignedMark | None = None,
    against: Head | None = None,
) -> Verdict:
    """Check all trails and checkpoints, with the public keys by their ids.

    Checkpoints are read first, so that a running service cannot make them differ.
    """
    sealed = _Sealed(keys, mark, against)
    if against is not None:
        try:
            against.check(keys)
        except StatementRefused as refused:
            return Verdict(0, 0, 0, f"the exported head: {refused}")
    async for seal in seals:
        if (wrong := sealed.take(seal)) is not None:
            return Verdict(0, 0, sealed.count, wrong)
    if (wrong := sealed.missing()) is not None:
        return Verdict(0, 0, sealed.count, wrong)
    number, entries = 0, 0
    async for case in cases:
        number += 1
        entries += len(case.get("audit", ()))
        name = str(case["_id"])
        wrong = case_fault(case, sealed.heads.pop(name, {})) or _signature_fault(
            case, keys, sealed.unsigned_upto.get(name, 0)
        )
        if wrong is not None:
            return Verdict(number, entries, sealed.count, wrong)
    if sealed.heads:
        return Verdict(number, entries, sealed.count, f"case {min(sealed.heads)}: it was sealed and is gone")
    return Verdict(number, entries, sealed.count, None, sealed.unsigned, against)


def _signature_fault(
    case: Mapping[str, Any], keys: Mapping[str, Ed25519PublicKey], unsigned_upto: int
) -> str | None:
    """Whether each decision's entry is what moderation's key signed when it was made. The trail itself is in order."""
    records = {each["decision_id"]: each for each in case.get("decisions", ())}
    for entry in case.get("audit", ()):
        record = records.get(entry["details"].get("decision_id", ""))
        if record is None or (not record.get("signature") and entry["seq"] <= unsigned_upto):
            continue
        try:
            check(DECIDED, statement_of(entry), Seal.of(record.get("signature")), keys)
        except StatementRefused as refused:
            return f"case {case['_id']}, entry {entry['seq']}: the decision was not made here: {refused}"
    return None


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
