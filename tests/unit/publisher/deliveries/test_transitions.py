"""Single steps of a delivery; whole histories are in `test_machine_histories.py`."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.publisher.channels.port import (
    Absent,
    Capabilities,
    NotSent,
    Posted,
    Rejected,
    Removed,
    Residue,
    Unknown,
)
from services.publisher.deliveries.model import Delivery, Lease, Refused, Rules
from services.publisher.deliveries.transitions import advance
from services.publisher.deliveries.triggers import (
    Answered,
    CannotLook,
    Checked,
    Claimed,
    Happening,
    LeaseLost,
    Looked,
    PrepareFailed,
    RemovalAnswered,
    Resolved,
    Retired,
    SendStarted,
)
from shared.events import DeliveryState
from tests.support.builders.publications import NOON

CAN = Capabilities(
    lookup=True, idempotent=False, read_back=True, remove=True, sample=False, absent_after=30.0
)
RULES = Rules(CAN, jitter=0.0)
UNTIL = NOON + timedelta(seconds=90)


def delivery(state: DeliveryState = "planned", **more: object) -> Delivery:
    bare = Delivery("d", "s", "tg", "telegram", "az", 1, 1, NOON, state=state, due_at=NOON)
    return replace(bare, **more)  # type: ignore[arg-type]


def held(state: DeliveryState = "planned", **more: object) -> Delivery:
    return delivery(state, **{"fence": 1, "lease": Lease("w", UNTIL), **more})


def sending(**more: object) -> Delivery:
    return held("sending", **{"attempt": 1, "unanswered": 1, **more})


def step(before: Delivery, happening: Happening, now: datetime = NOON, rules: Rules = RULES) -> Delivery:
    after = advance(before, happening, now, rules)
    assert not isinstance(after, Refused), after
    return after


@pytest.mark.parametrize(
    ("before", "happening", "reason"),
    [
        (held(), Claimed("x", UNTIL), "held"),
        (delivery(due_at=None), Claimed("x", UNTIL), "not_due"),
        (delivery("rejected"), Claimed("x", UNTIL), "wrong_state"),
        (held(), SendStarted(0, UNTIL, {}, 1), "lease_lost"),
        (held(lease=None), SendStarted(1, UNTIL, {}, 1), "lease_lost"),
        (held(lease=Lease("w", NOON)), SendStarted(1, UNTIL, {}, 1), "lease_lost"),
        (held(), SendStarted(1, UNTIL, {}, None), "not_approved"),
        (held(), SendStarted(1, UNTIL, {}, 2), "not_approved"),
        (held(retired="recalled"), SendStarted(1, UNTIL, {}, 1), "retired"),
        (sending(unanswered=None), Answered(1, Posted("1")), "already_answered"),
        (sending(), LeaseLost(), "held"),
        (sending(), LeaseLost("somebody else"), "held"),
        (delivery("posted", retired="recalled"), Checked(Posted("1")), "wrong_state"),
        (held("removing"), RemovalAnswered(9, Removed("")), "lease_lost"),
        (delivery("posted"), Resolved("absent", "p"), "wrong_state"),
        (delivery("removed"), Retired("recalled"), "wrong_state"),
        (sending(retired="recalled"), Retired("superseded"), "already_retired"),
    ],
)
def test_what_does_not_fit_changes_nothing(before: Delivery, happening: Happening, reason: str) -> None:
    assert Refused(reason) == advance(before, happening, NOON, RULES)


@pytest.mark.parametrize(
    ("before", "happening", "state"),
    [
        (held(), SendStarted(1, UNTIL, {}, 1), "sending"),
        (sending(), Answered(1, Posted("1")), "posted"),
        (sending(), Answered(1, Unknown("timeout", "")), "unknown"),
        (sending(), Answered(1, Rejected("too_long", "")), "rejected"),
        (sending(), Answered(1, Rejected("token", "", "channel")), "planned"),
        (sending(), Answered(1, NotSent("connect", "")), "planned"),
        (sending(retired="recalled"), Answered(1, NotSent("connect", "")), "cancelled"),
        (sending(), LeaseLost("w"), "unknown"),
        (held(), PrepareFailed(1, Rejected("too_long", "")), "rejected"),
        (held(), PrepareFailed(1, NotSent("connect", "")), "planned"),
        (delivery("unknown"), Claimed("w", UNTIL), "reconciling"),
        (held("reconciling"), Looked(1, Posted("1")), "posted"),
        (held("reconciling"), Looked(1, Absent()), "reconciling"),
        (held("reconciling", absent_at=NOON - timedelta(seconds=29)), Looked(1, Absent()), "reconciling"),
        (held("reconciling", absent_at=NOON - timedelta(seconds=30)), Looked(1, Absent()), "planned"),
        (
            held("reconciling", absent_at=NOON - timedelta(seconds=30), retired="recalled"),
            Looked(1, Absent()),
            "cancelled",
        ),
        (held("reconciling", since=NOON - timedelta(hours=1)), Looked(1, Unknown("t", "")), "needs_human"),
        (held("reconciling"), CannotLook(1), "needs_human"),
        (delivery("posted"), Checked(Absent()), "unknown"),
        (delivery("posted"), Checked(Unknown("t", "")), "posted"),
        (delivery(), Retired("recalled"), "cancelled"),
        (delivery("posted"), Retired("recalled"), "removing"),
        (sending(), Retired("recalled"), "sending"),
        (held("removing"), RemovalAnswered(1, Removed("gone")), "removed"),
        (held("removing"), RemovalAnswered(1, Residue("too old")), "residue"),
        (held("removing"), RemovalAnswered(1, Unknown("t", "")), "removing"),
        (
            held("removing", since=NOON - timedelta(hours=24)),
            RemovalAnswered(1, Unknown("t", "")),
            "needs_human",
        ),
        (delivery("needs_human"), Resolved("posted", "p", "https://c/1"), "posted"),
        (delivery("needs_human"), Resolved("absent", "p"), "planned"),
        (delivery("needs_human", retired="recalled"), Resolved("absent", "p"), "cancelled"),
        (delivery("needs_human", retired="recalled", remote_id="1"), Resolved("absent", "p"), "removed"),
        (delivery("needs_human"), Resolved("cancelled", "p"), "cancelled"),
        (delivery("residue"), Resolved("absent", "p"), "removed"),
        (held(trying_since=NOON - timedelta(hours=24)), PrepareFailed(1, NotSent("c", "")), "needs_human"),
    ],
)
def test_every_happening_leads_where_it_should(before: Delivery, happening: Happening, state: str) -> None:
    after = step(before, happening)

    assert state == after.state
    assert after.version == before.version + (after.state != before.state)


def test_a_repetition_that_cannot_show_twice_is_sent_again_or_taken_away_without_a_look() -> None:
    rules = Rules(replace(CAN, lookup=False, idempotent=True))

    assert step(held("reconciling"), CannotLook(1), rules=rules).state == "planned"
    taken_back = step(held("reconciling", retired="recalled"), CannotLook(1), rules=rules)
    assert (taken_back.state, taken_back.remote_id) == ("removing", "d")


def test_an_answer_after_the_lease_counts_until_somebody_has_found_it_out() -> None:
    lost = step(sending(), LeaseLost(), now=UNTIL)
    waiting = step(
        step(lost, Claimed("x", UNTIL + timedelta(seconds=90)), now=UNTIL), CannotLook(2), now=UNTIL
    )
    assert waiting.state == "needs_human"

    assert step(waiting, Answered(1, Posted("1"))).state == "posted"
    settled = step(waiting, Resolved("cancelled", "p"))
    assert Refused("already_answered") == advance(settled, Answered(1, Posted("1")), NOON, RULES)


def test_waiting_for_the_next_try_grows_and_keeps_to_what_the_channel_asked() -> None:
    first = step(sending(), Answered(1, NotSent("429", "", retry_after=40.0)))
    assert NOON + timedelta(seconds=40) == first.due_at

    seconds = []
    for tries in range(4):
        after = step(sending(tries=tries), Answered(1, NotSent("connect", "")))
        assert after.due_at is not None
        seconds.append((after.due_at - NOON).total_seconds())
    assert seconds == [0.5, 1.0, 2.0, 4.0]


def test_what_was_tried_is_kept_as_evidence() -> None:
    after = step(sending(), Answered(1, Unknown("timeout", "no answer within 20 s")))

    assert [(each.number, each.outcome, each.code) for each in after.attempts] == [(1, "unknown", "timeout")]
    assert after.failure is not None
    assert after.failure.code == "timeout"
