from dataclasses import replace
from datetime import timedelta

import pytest

from services.publisher.deliveries.model import Refused
from services.publisher.deliveries.planning import KNOWN, OLD, decide, flaw_of, mark_tombstone
from services.publisher.deliveries.publication import Outlet, Publication, TombstoneRecord
from shared.events import Approval, ModerationDecided
from tests.support.builders.publications import NOON, approval_of

SITE = Outlet("site", "website", replaces_in_place=True)
TELEGRAM = Outlet("tg", "telegram", ("az", "sr"))
HOOK = Outlet("partners", "webhook", replaces_in_place=True)
ALL = (SITE, TELEGRAM, HOOK)


def planned(decision: ModerationDecided, publication: Publication | None = None) -> Publication:
    after = decide(publication or Publication("s"), decision, ALL, NOON)
    assert not isinstance(after, Refused)
    return after


def states(publication: Publication) -> dict[tuple[str, int], str]:
    return {(each.channel, each.revision): each.state for each in publication.deliveries}


def test_an_approval_plans_one_delivery_for_every_channel_that_takes_the_language() -> None:
    assert states(planned(approval_of(language="az"))) == {
        ("site", 1): "planned",
        ("tg", 1): "planned",
        ("partners", 1): "planned",
    }


def test_a_channel_that_does_not_take_the_language_gets_nothing() -> None:
    assert states(planned(approval_of(language="ka"))) == {("site", 1): "planned", ("partners", 1): "planned"}


def test_a_channel_for_a_language_takes_its_variants() -> None:
    assert ("tg", 1) in states(planned(approval_of(language="sr-Latn")))


def test_only_the_channels_that_were_chosen_are_used() -> None:
    assert states(planned(approval_of(channels=("tg", "gone")))) == {("tg", 1): "planned"}


def test_what_is_to_appear_later_is_due_later() -> None:
    later = NOON + timedelta(hours=3)

    assert [later, later, later] == [
        each.due_at for each in planned(approval_of(publish_at=later)).deliveries
    ]


def test_the_same_decision_again_changes_nothing() -> None:
    once = planned(approval_of())

    assert decide(once, approval_of(), ALL, NOON) is KNOWN


def test_an_older_decision_that_arrives_late_changes_nothing() -> None:
    assert decide(planned(approval_of(version=5)), approval_of(version=4, revision=2), ALL, NOON) is OLD


def test_another_decision_under_a_version_already_used_is_a_replay() -> None:
    again = approval_of(version=5, revision=2)

    assert decide(planned(approval_of(version=5)), again, ALL, NOON) == Refused("replayed_version")


def test_a_decision_taken_back_before_anything_was_sent_cancels_and_a_new_approval_plans_again() -> None:
    refused = planned(approval_of(version=2, verdict="reject"), planned(approval_of()))
    assert set(states(refused).values()) == {"cancelled"}

    again = planned(approval_of(version=3), refused)

    assert set(states(again).values()) == {"planned"}
    assert {3} == {each.approval for each in again.deliveries}


def test_a_tombstone_wins_over_a_decision_that_arrives_later() -> None:
    buried = mark_tombstone(Publication("s"), TombstoneRecord("withdrawn", NOON), ALL, NOON)
    assert not isinstance(buried, Refused)

    assert states(planned(approval_of(version=9), buried)) == {}


def test_the_first_tombstone_stays() -> None:
    buried = mark_tombstone(Publication("s"), TombstoneRecord("withdrawn", NOON), ALL, NOON)
    assert not isinstance(buried, Refused)

    assert mark_tombstone(buried, TombstoneRecord("recalled", NOON), ALL, NOON) == Refused("already_buried")


def test_a_new_revision_removes_a_telegram_post_before_it_plans_the_next() -> None:
    first = _all_posted(planned(approval_of()))

    second = planned(approval_of(version=2, revision=2), first)

    assert states(second) == {
        ("site", 1): "removing",
        ("site", 2): "planned",
        ("partners", 1): "removing",
        ("partners", 2): "planned",
        ("tg", 1): "removing",
    }
    waiting = {each.channel: each.due_at for each in second.deliveries if each.state == "removing"}
    assert waiting == {"site": None, "partners": None, "tg": NOON}


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({}, None),
        ({"snapshot": None}, "an approval carries"),
        ({"subject_id": "other"}, "another submission"),
        ({"revision": 2}, "another submission or revision"),
        ({"author_id": "moderator"}, "their own"),
        ({"approvals": ()}, "1 different people"),
        ({"classes": ("graphic",)}, "2 different people"),
        (
            {
                "classes": ("graphic",),
                "approvals": (Approval(person_id="a", at=NOON), Approval(person_id="b", at=NOON)),
            },
            None,
        ),
        ({"verdict": "reject"}, "carries no snapshot"),
        ({"verdict": "reject", "snapshot": None, "approvals": ()}, None),
    ],
)
def test_a_decision_that_contradicts_itself_is_found_out(change: dict[str, object], flaw: str | None) -> None:
    found = flaw_of(approval_of().model_copy(update=change), {"graphic": 2})

    assert (found is None) == (flaw is None)
    assert (flaw or "") in (found or "")


def _all_posted(publication: Publication) -> Publication:
    posted = [replace(each, state="posted", remote_id="1", due_at=None) for each in publication.deliveries]
    return replace(publication, deliveries=tuple(posted), told=())
