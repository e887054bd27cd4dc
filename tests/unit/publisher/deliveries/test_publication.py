from dataclasses import replace

from services.publisher.channels.port import Capabilities, NotSent, Posted, Rejected
from services.publisher.deliveries.model import Delivery, Lease, Refused, Rules
from services.publisher.deliveries.planning import decide
from services.publisher.deliveries.publication import Outlet, Publication, happen, settle
from services.publisher.deliveries.triggers import Answered, Claimed, Happening, PrepareFailed, SendStarted
from services.publisher.dispatch.leasing import LEASE
from tests.support.builders.publications import NOON, approval_of

SITE = (Outlet("site", "website", replaces_in_place=True),)
RULES = Rules(Capabilities(lookup=True, idempotent=True, read_back=True, remove=True, sample=False))


def decided(publication: Publication, *, version: int, revision: int, language: str = "az") -> Publication:
    after = decide(
        publication, approval_of(version=version, revision=revision, language=language), SITE, NOON
    )
    assert not isinstance(after, Refused)
    return after


def step(publication: Publication, revision: int, happening: Happening) -> Publication:
    after = happen(publication, of(publication, revision).id, happening, NOON, RULES)
    assert not isinstance(after, Refused), after
    return settle(after, SITE, NOON)


def of(publication: Publication, revision: int) -> Delivery:
    (found,) = [each for each in publication.deliveries if each.revision == revision]
    return found


def claimed(publication: Publication, revision: int) -> Publication:
    return step(publication, revision, Claimed("w", NOON + LEASE))


def started(publication: Publication, revision: int) -> Publication:
    held = claimed(publication, revision)
    version = held.allowed(of(held, revision))
    return step(held, revision, SendStarted(of(held, revision).fence, NOON + LEASE, {}, version))


def posted(publication: Publication, revision: int) -> Publication:
    begun = of(under_way := started(publication, revision), revision)
    return step(under_way, revision, Answered(begun.attempt, Posted(f"page-{revision}")))


def states(publication: Publication) -> dict[int, str]:
    return {each.revision: each.state for each in publication.deliveries}


def replacing() -> Publication:
    """Revision 1 is on the website, revision 2 about to take its place."""
    return decided(posted(decided(Publication("s"), version=1, revision=1), 1), version=2, revision=2)


def test_the_earlier_page_stays_until_its_successor_is_up_and_then_counts_as_removed() -> None:
    waiting = replacing()
    assert states(waiting) == {1: "removing", 2: "planned"}
    assert of(waiting, 1).due_at is None

    done = posted(waiting, 2)

    assert states(done) == {1: "removed", 2: "posted"}
    assert "revision 2" in (of(done, 1).proof or "")


def test_the_successor_knows_what_it_replaces() -> None:
    waiting = replacing()
    before = waiting.predecessor(of(waiting, 2))

    assert before is not None
    assert before.remote_id == "page-1"


def going_back() -> Publication:
    """Revision 2 is on the website, and a later decision allows revision 1 in its place."""
    return decided(posted(decided(Publication("s"), version=1, revision=2), 2), version=2, revision=1)


def test_what_a_later_decision_allows_takes_the_place_whichever_revision_it_is() -> None:
    waiting = going_back()
    assert states(waiting) == {2: "removing", 1: "planned"}
    assert of(waiting, 2).due_at is None
    before = waiting.predecessor(of(waiting, 1))
    assert before is not None
    assert before.remote_id == "page-2"

    done = posted(waiting, 1)

    assert states(done) == {2: "removed", 1: "posted"}
    assert "revision 1" in (of(done, 2).proof or "")


def test_a_revision_that_made_way_comes_back_when_it_is_approved_again() -> None:
    replaced = posted(replacing(), 2)

    back = decided(replaced, version=3, revision=1)

    assert states(back) == {1: "planned", 2: "removing"}
    assert (of(back, 1).round, of(back, 1).remote_id, of(back, 2).due_at) == (1, None, None)
    assert states(posted(back, 1)) == {1: "posted", 2: "removed"}


def test_when_the_successor_is_refused_the_earlier_page_is_really_removed() -> None:
    held = claimed(replacing(), 2)
    refused = step(held, 2, PrepareFailed(of(held, 2).fence, Rejected("language", "")))

    assert states(refused) == {1: "removing", 2: "rejected"}
    assert of(refused, 1).due_at == NOON


def test_a_third_revision_takes_over_from_a_second_one_that_is_under_way() -> None:
    under_way = decided(started(replacing(), 2), version=3, revision=3)
    assert states(under_way) == {1: "removing", 2: "sending"}

    done = step(under_way, 2, Answered(1, Posted("page-2")))

    assert states(done) == {1: "removed", 2: "removing", 3: "planned"}
    assert of(done, 2).due_at is None
    assert states(posted(done, 3)) == {1: "removed", 2: "removed", 3: "posted"}


def test_in_another_language_it_is_another_page_and_the_earlier_one_goes_first() -> None:
    moved = decided(
        posted(decided(Publication("s"), version=1, revision=1), 1), version=2, revision=2, language="en"
    )

    assert states(moved) == {1: "removing"}
    assert of(moved, 1).due_at == NOON


def test_an_approval_renewed_while_a_delivery_is_under_way_lets_it_go_out_again() -> None:
    under_way = started(decided(Publication("s"), version=1, revision=1), 1)
    renewed = decided(under_way, version=2, revision=1)
    assert of(renewed, 1).approval == 1

    again = step(renewed, 1, Answered(1, NotSent("connect", "")))

    assert (of(again, 1).state, of(again, 1).approval) == ("planned", 2)


def test_every_change_of_state_is_told_in_order() -> None:
    told = posted(decided(Publication("s"), version=1, revision=1), 1).told

    assert [each.state for each in told if isinstance(each, Delivery)] == ["planned", "sending", "posted"]


def test_a_held_earlier_page_is_left_to_its_holder() -> None:
    waiting = replacing()
    old = replace(of(waiting, 1), lease=Lease("w", NOON + LEASE), due_at=NOON + LEASE)

    assert old == of(settle(waiting.put(old), SITE, NOON), 1)
