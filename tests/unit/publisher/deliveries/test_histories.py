"""Whole histories of one submission on one channel that hangs, lies, is late and forgets, with workers that die."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.publisher.channels.port import (
    Absent,
    Capabilities,
    NotSent,
    Outcome,
    Posted,
    Rejected,
    Removed,
    Residue,
    Unknown,
)
from services.publisher.deliveries.model import Delivery, Refused, Rules
from services.publisher.deliveries.planning import decide, mark_tombstone
from services.publisher.deliveries.publication import Outlet, Publication, TombstoneRecord, happen, settle
from services.publisher.deliveries.triggers import (
    Answered,
    CannotLook,
    Checked,
    Claimed,
    Happening,
    LeaseLost,
    Looked,
    PrepareStepped,
    RemovalAnswered,
    Resolved,
    SendStarted,
)
from tests.support.builders.publications import approval_of

LEASE = timedelta(seconds=90)
LATE = 20.0
"""Seconds after which an accepted post appears at the latest; lookups are spaced wider than this."""

KINDS = {
    "lookup": Capabilities(
        lookup=True, idempotent=False, read_back=True, remove=True, sample=False, absent_after=30.0
    ),
    "idempotent": Capabilities(lookup=False, idempotent=True, read_back=False, remove=True, sample=False),
    "blind": Capabilities(lookup=False, idempotent=False, read_back=False, remove=True, sample=False),
}


@dataclass
class LyingChannel:
    """What is really visible, and what will be. Idempotent channels know a delivery again by its id."""

    idempotent: bool
    visible: dict[int, str] = field(default_factory=dict)
    late: list[tuple[datetime, str]] = field(default_factory=list)
    last: int = 0

    def tick(self, now: datetime) -> None:
        due = [each for each in self.late if each[0] <= now]
        self.late = [each for each in self.late if each[0] > now]
        for _, delivery in due:
            self.show(delivery)

    def show(self, delivery: str) -> int:
        if self.idempotent:
            for number, shown in self.visible.items():
                if shown == delivery:
                    return number
        self.last += 1
        self.visible[self.last] = delivery
        return self.last

    def find(self, delivery: str) -> Posted | Absent:
        for number, shown in self.visible.items():
            if shown == delivery:
                return Posted(str(number))
        return Absent()

    def remove(self, delivery: str, remote_id: str) -> None:
        self.late = [each for each in self.late if each[1] != delivery]
        gone = [n for n, shown in self.visible.items() if shown == delivery or str(n) == remote_id]
        for number in gone:
            del self.visible[number]


@dataclass
class Partner(LyingChannel):
    """A receiver that has one place for the submission: what is told last is there, and a removal empties it."""

    def show(self, delivery: str) -> int:
        self.visible = {1: delivery}
        return 1

    def tick(self, now: datetime) -> None:
        self.late = [] if self.visible else self.late  # it knows what is newer by the message's time
        super().tick(now)

    def remove(self, delivery: str, remote_id: str) -> None:
        super().remove(delivery, remote_id)
        self.visible.clear()


class Histories(RuleBasedStateMachine):
    """One submission, one channel, up to three revisions."""

    kind: str
    outlet_kind: str

    @initialize(kind=st.sampled_from(sorted(KINDS)), seed=st.integers(0, 2**32))
    def begin(self, kind: str, seed: int) -> None:
        self.kind = kind
        self.capabilities = KINDS[kind]
        self.chance = random.Random(seed)
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.outlets = (Outlet("c", kind, replaces_in_place=self.capabilities.idempotent),)
        self.publication = Publication("s")
        self.channel = Partner(True) if self.capabilities.idempotent else LyingChannel(False)
        self.version = 0
        self.calls: list[tuple[str, int, int, Callable[[], Outcome]]] = []
        self.history: dict[str, list[tuple[int, str]]] = {}
        self.approve(revision=1, old=False)
        self.send("ok" if seed % 3 == 0 else "dies" if seed % 3 == 1 else "timeout_shown")

    # what the tests do to it

    def step(self, delivery: Delivery, happening: Happening) -> bool:
        rules = Rules(self.capabilities, self.chance.random())
        after = happen(self.publication, delivery.id, happening, self.now, rules)
        note(f"{happening} -> {after if isinstance(after, Refused) else after.delivery(delivery.id)}")
        if isinstance(after, Refused):
            return False
        self.store(settle(after, self.outlets, self.now))
        return True

    def store(self, after: Publication) -> None:
        for told in after.told:
            assert isinstance(told, Delivery)
            self.history.setdefault(told.id, []).append((told.version, told.state))
        self.publication = replace(after, told=(), version=after.version + 1)

    def due(self, *states: str) -> list[Delivery]:
        return [
            each
            for each in self.publication.deliveries
            if each.due_at is not None and each.due_at <= self.now and (not states or each.state in states)
        ]

    @precondition(lambda self: self.chance.random() < 0.3)
    @rule(revision=st.integers(1, 3), old=st.booleans())
    def approve(self, revision: int, old: bool) -> None:
        version = self.version if old and self.version else self.version + 1
        self.version = max(self.version, version)
        after = decide(
            self.publication, approval_of("s", version=version, revision=revision), self.outlets, self.now
        )
        if not isinstance(after, Refused):
            self.store(after)

    @precondition(lambda self: self.chance.random() < 0.2)
    @rule()
    def revoke(self) -> None:
        self.version += 1
        revision = self.publication.permission.revision if self.publication.permission else 1
        refusal = approval_of("s", version=self.version, revision=revision, verdict="reject")
        after = decide(self.publication, refusal, self.outlets, self.now)
        assert not isinstance(after, Refused)
        self.store(after)

    @precondition(lambda self: self.chance.random() < 0.05)
    @rule()
    def recall(self) -> None:
        after = mark_tombstone(
            self.publication, TombstoneRecord("recalled", self.now), self.outlets, self.now
        )
        if not isinstance(after, Refused):
            self.store(after)

    @rule(seconds=st.sampled_from([0.1, 1, 5, 31, 91, 400, 4000, 90_000]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.channel.tick(self.now)

    @rule(
        fate=st.sampled_from(
            ["ok", "rejected", "not_sent", "timeout_shown", "timeout_late", "timeout", "lie", "dies"]
        )
    )
    def send(self, fate: str) -> None:
        for delivery in self.due("planned"):
            if not self.step(delivery, Claimed("w", self.now + LEASE)):
                continue
            claimed = self.publication.delivery(delivery.id)
            assert claimed is not None
            started = SendStarted(
                claimed.fence, self.now + LEASE, claimed.prepared, self.publication.allowed(claimed)
            )
            if not self.step(claimed, started):
                continue
            self.sent(delivery.id, fate)

    @rule(ends=st.sampled_from(["stored", "dies", "late"]))
    def prepare(self, ends: str) -> None:
        """One step of a preparation; its worker stores it, dies before, or stores it when another has it."""
        for delivery in self.due("planned"):
            if not self.step(delivery, Claimed("w", self.now + LEASE)):
                continue
            claimed = self.publication.delivery(delivery.id)
            assert claimed is not None
            part = int(claimed.prepared.get("part", 0)) + 1
            left = {"part": str(part), "approval": str(claimed.approval)}
            done = PrepareStepped(claimed.fence, left, 0.0)
            if ends == "stored":
                assert self.step(claimed, done)
            elif ends == "late":
                self.now += LEASE
                assert self.step(claimed, Claimed("other", self.now + LEASE))
                assert not self.step(claimed, done)

    def sent(self, key: str, fate: str) -> None:
        """The commit leaves: it must be allowed at this moment."""
        sending = self.publication.delivery(key)
        assert sending is not None
        assert self.publication.tombstone is None
        assert self.publication.permission is not None
        assert self.publication.permission.revision == sending.revision
        outcome: Outcome | None
        match fate:
            case "ok":
                outcome = Posted(str(self.channel.show(key)))
            case "rejected":
                outcome = Rejected("too_long", "")
            case "not_sent":
                outcome = NotSent("connect", "", retry_after=3.0)
            case "timeout_shown":
                self.channel.show(key)
                outcome = Unknown("timeout", "")
            case "timeout_late":
                self.channel.late.append((self.now + timedelta(seconds=LATE), key))
                outcome = Unknown("timeout", "")
            case "timeout":
                outcome = Unknown("reset", "")
            case "lie" if self.capabilities.read_back:
                outcome = Posted("0")
            case _:
                if self.chance.random() < 0.5:
                    self.channel.show(key)
                outcome = None
        if outcome is not None:
            self.step(sending, Answered(sending.attempt, outcome))

    @rule()
    def sweep(self) -> None:
        for delivery in self.publication.deliveries:
            self.step(delivery, LeaseLost())

    @rule(answers=st.booleans())
    def look(self, answers: bool) -> None:
        for delivery in self.due("unknown", "reconciling"):
            if not self.step(delivery, Claimed("w", self.now + LEASE)):
                continue
            claimed = self.publication.delivery(delivery.id)
            assert claimed is not None
            if not self.capabilities.lookup:
                self.step(claimed, CannotLook(claimed.fence))
            else:
                found = self.channel.find(delivery.id) if answers else Unknown("timeout", "")
                self.step(claimed, Looked(claimed.fence, found))

    @rule()
    def visit(self) -> None:
        for delivery in self.due("posted"):
            if self.capabilities.read_back:
                self.step(delivery, Checked(self.channel.find(delivery.id)))

    @rule(fate=st.sampled_from(["ok", "not_sent", "unknown", "residue", "dies"]))
    def remove(self, fate: str) -> None:
        for delivery in self.due("posted", "removing"):
            if not self.step(delivery, Claimed("w", self.now + LEASE)):
                continue
            claimed = self.publication.delivery(delivery.id)
            assert claimed is not None
            if fate in {"ok", "unknown"}:
                self.channel.remove(claimed.id, claimed.remote_id or "")
            answers = {
                "ok": Removed("deleted and gone"),
                "not_sent": NotSent("connect", ""),
                "unknown": Unknown("timeout", ""),
                "residue": Residue("too old to delete"),
            }
            if fate in answers:
                self.step(claimed, RemovalAnswered(claimed.fence, answers[fate]))  # type: ignore[arg-type]

    @rule()
    def person_looks(self) -> None:
        for delivery in self.publication.deliveries:
            if delivery.state in {"needs_human", "residue"} and not self.channel.late:
                if delivery.state == "residue":  # somebody takes it away by hand
                    self.channel.remove(delivery.id, delivery.remote_id or "")
                found = self.channel.find(delivery.id)
                outcome = (
                    Resolved("posted", "p", "https://c/1")
                    if isinstance(found, Posted)
                    else Resolved("absent", "p")
                )
                self.step(delivery, outcome)

    # what must hold

    @invariant()
    def at_most_one_is_visible(self) -> None:
        if not hasattr(self, "channel"):
            return
        shown = list(self.channel.visible.values())
        assert len(shown) <= 1, shown

    @invariant()
    def nothing_goes_backwards(self) -> None:
        for told in getattr(self, "history", {}).values():
            versions = [version for version, _ in told]
            assert versions == sorted(set(versions))

    @invariant()
    def nothing_prepared_for_one_decision_is_shown_for_another(self) -> None:
        for each in getattr(self, "publication", Publication("s")).deliveries:
            if each.state in {"planned", "sending"}:
                assert each.prepared.get("approval", str(each.approval)) == str(each.approval)

    @invariant()
    def one_delivery_is_alive(self) -> None:
        alive = [
            each
            for each in getattr(self, "publication", Publication("s")).deliveries
            if each.state not in {"cancelled", "rejected", "removed", "removing"}
        ]
        assert len(alive) <= 1

    def teardown(self) -> None:
        """Left alone with an honest channel and a person, every delivery ends."""
        if not hasattr(self, "publication"):
            return
        for _ in range(60):
            if not any(each.due_at and each.state != "posted" for each in self.publication.deliveries):
                break
            self.time_passes(400)
            self.sweep()
            self.look(answers=True)
            self.remove("ok")
            self.visit()
            self.send("ok")
            self.person_looks()
        for each in self.publication.deliveries:
            assert each.state in {"posted", "rejected", "needs_human", "cancelled", "removed", "residue"}, (
                each
            )
            if each.state == "posted":
                assert isinstance(self.channel.find(each.id), Posted), each
            if self.publication.tombstone is not None:
                assert each.state not in {"posted", "planned"}


Histories.TestCase.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistories = Histories.TestCase
