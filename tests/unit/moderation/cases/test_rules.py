"""Who may decide what, and what follows."""

from dataclasses import fields, make_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.moderation.cases.rules import (
    CaseApproved,
    Content,
    Decision,
    DecisionRefused,
    Edits,
    Outcome,
    Plan,
    Standing,
    decide,
    digest,
    media_names,
    small,
)
from shared.events import CaseState, Media, Snapshot, SubmissionReceived
from tests.support.builders.submissions import NOW, POLICY, photo

CONTENT = Content("Nar bayramı", "Göyçayda nar bayramı keçirildi.", "az", ("nar",), (photo(),))
PLAIN = Standing("in_review", "author", CONTENT)
SENSITIVE = replace(PLAIN, classes=("minors",))


def rule(case: Standing, decision: Decision, actor: str = "one", *, editor: bool = False) -> Outcome:
    return decide(case, decision, sent=CONTENT, actor=actor, editor=editor, now=NOW, policy=POLICY)


def standing(outcome: Outcome, author: str = "author") -> Standing:
    return Standing(
        outcome.state,
        author,
        outcome.content,
        outcome.plan,
        outcome.classes,
        outcome.approvals,
        outcome.escalated,
    )


def refusal(case: Standing, decision: Decision, actor: str = "one", *, editor: bool = False) -> str:
    with pytest.raises(DecisionRefused) as caught:
        rule(case, decision, actor, editor=editor)
    assert caught.value.detail
    return caught.value.code


APPROVE = Decision("approve")
REJECT = Decision("reject", ("off_topic",))
CHANGES = Decision("request_changes", ("quality",))
ESCALATE = Decision("escalate", ("other",))


@pytest.mark.parametrize(
    ("case", "decision", "state", "final"),
    [
        (PLAIN, APPROVE, "approved", True),
        (PLAIN, REJECT, "rejected", True),
        (PLAIN, CHANGES, "changes_requested", True),
        (PLAIN, ESCALATE, "in_review", False),
        (SENSITIVE, APPROVE, "in_review", False),
        (SENSITIVE, REJECT, "rejected", True),
        (replace(PLAIN, state="screened"), APPROVE, "approved", True),
    ],
)
def test_what_follows_from_a_verdict(case: Standing, decision: Decision, state: str, final: bool) -> None:
    outcome = rule(case, decision)

    assert (outcome.state, outcome.final) == (state, final)


TWICE = replace(CONTENT, media=(photo(alt="Front"), photo(alt="Back"), photo("b")))


def test_of_a_photo_that_is_there_twice_each_place_keeps_its_own_description() -> None:
    edits = Edits(alts={"2": "The back of it", "b" * 64: "Another"})

    outcome = rule(replace(PLAIN, content=TWICE), Decision("approve", edits=edits))

    assert media_names(TWICE) == ("1", "2", "b" * 64)
    assert [each.alt for each in outcome.content.media] == ["Front", "The back of it", "Another"]


@pytest.mark.parametrize(
    ("alts", "code"),
    [
        ({"a" * 64: "x"}, "ambiguous_media"),
        ({"3": "x", "b" * 64: "y"}, "ambiguous_media"),
        ({"4": "x"}, "unknown_media"),
        ({"0": "x"}, "unknown_media"),
    ],
)
def test_a_description_that_could_belong_to_two_photos_or_none_is_refused(
    alts: dict[str, str], code: str
) -> None:
    assert refusal(replace(PLAIN, content=TWICE), Decision("approve", edits=Edits(alts=alts))) == code


ENDED: list[CaseState] = ["approved", "rejected", "changes_requested", "withdrawn", "recalled"]


@pytest.mark.parametrize("state", ENDED)
def test_what_is_decided_is_not_decided_again(state: CaseState) -> None:
    assert refusal(replace(PLAIN, state=state), APPROVE) == "already_decided"


@pytest.mark.parametrize(
    ("decision", "code"),
    [
        (Decision("reject"), "reason_missing"),
        (Decision("request_changes"), "reason_missing"),
        (Decision("escalate"), "reason_missing"),
        (Decision("reject", ("boring",)), "unknown_reason"),
        (Decision("approve", channels=("myspace",)), "unknown_channel"),
        (Decision("approve", channels=()), "channel_missing"),
        (Decision("approve", classes=("dull",)), "unknown_class"),
        (Decision("reject", ("other",), edits=Edits(title="x")), "only_with_approval"),
        (Decision("reject", ("other",), channels=("site",)), "only_with_approval"),
        (Decision("reject", ("other",), publish_at=NOW), "only_with_approval"),
        (Decision("reject", ("other",), note="x" * 2001), "too_long"),
        (Decision("approve", edits=Edits(title=" \u200f")), "title_missing"),
        (Decision("approve", edits=Edits(title="one\ntwo")), "not_text"),
        (Decision("approve", edits=Edits(body="a\x00b")), "not_text"),
        (Decision("approve", edits=Edits(alts={"a" * 64: "\x07"})), "not_text"),
        (Decision("reject", ("other",), note="\x1b[31m"), "not_text"),
        (Decision("approve", edits=Edits(title="x" * 201)), "too_long"),
        (Decision("approve", edits=Edits(body="x" * 20_001)), "too_long"),
        (Decision("approve", edits=Edits(hashtags=tuple(f"x{n}" for n in range(21)))), "too_long"),
        (Decision("approve", edits=Edits(alts={"a" * 64: "x" * 1001})), "too_long"),
        (Decision("approve", edits=Edits(alts={"b" * 64: "x"})), "unknown_media"),
    ],
)
def test_a_decision_that_does_not_fit_is_refused(decision: Decision, code: str) -> None:
    assert refusal(PLAIN, decision) == code


def test_nobody_decides_on_their_own() -> None:
    assert refusal(PLAIN, APPROVE, "author") == "own_submission"
    assert refusal(PLAIN, REJECT, "author", editor=True) == "own_submission"


def test_what_was_passed_on_is_for_editors() -> None:
    passed = standing(rule(PLAIN, ESCALATE))

    assert refusal(passed, APPROVE) == "editor_needed"
    assert refusal(passed, ESCALATE, "two", editor=True) == "already_escalated"
    assert rule(passed, APPROVE, "two", editor=True).state == "approved"


def test_two_different_people_must_approve_what_is_sensitive() -> None:
    first = rule(SENSITIVE, APPROVE)

    assert refusal(standing(first), APPROVE, "one") == "second_person_needed"
    second = rule(standing(first), APPROVE, "two")
    assert second.state == "approved"
    assert [each.person_id for each in second.agreed] == ["one", "two"]


@pytest.mark.parametrize(
    "change",
    [
        Decision("approve", edits=Edits(title="Nar")),
        Decision("approve", edits=Edits(body="Qısa.")),
        Decision("approve", edits=Edits(hashtags=())),
        Decision("approve", edits=Edits(alts={"a" * 64: "Nar"})),
        Decision("approve", edits=Edits(language="tr")),
        Decision("approve", channels=("site",)),
        Decision("approve", publish_at=NOW + timedelta(days=1)),
    ],
)
def test_a_change_by_the_second_person_resets_the_first_approval(change: Decision) -> None:
    first = rule(SENSITIVE, APPROVE)
    second = rule(standing(first), change, "two")

    assert second.state == "in_review"
    assert [each.person_id for each in second.approvals] == ["two"]
    assert refusal(standing(second), APPROVE, "two") == "second_person_needed"
    assert rule(standing(second), APPROVE, "one").state == "approved"


def test_the_second_person_takes_over_what_the_first_planned() -> None:
    first = rule(SENSITIVE, Decision("approve", channels=("site",), edits=Edits(title="Nar")))
    second = rule(standing(first), APPROVE, "two")

    assert (second.state, second.plan, second.content.title) == ("approved", Plan(("site",)), "Nar")


def test_an_edit_that_gives_away_personal_data_needs_a_second_person() -> None:
    outcome = rule(PLAIN, Decision("approve", edits=Edits(body="Zəng: +994 50 123 45 67")))

    assert (outcome.state, outcome.classes, outcome.required) == ("in_review", ("personal_data",), 2)


def test_a_class_that_a_moderator_finds_needs_a_second_person() -> None:
    assert rule(PLAIN, Decision("approve", classes=("graphic",))).state == "in_review"


LONG = replace(CONTENT, body=" ".join(f"söz{number}" for number in range(200)))
UNSPACED = Content("节日", "人人生而自由在尊严和权利上一律平等", "zh")


@pytest.mark.parametrize(
    ("sent", "changes", "is_small"),
    [
        (CONTENT, {}, True),
        (CONTENT, {"title": "Nar bayrami"}, True),
        (CONTENT, {"body": "Göyçayda nar bayramı keçirildi, gözəl."}, True),
        (CONTENT, {"body": "Göyçayda  nar\nbayramı: keçirildi!"}, True),
        (CONTENT, {"title": "Alma bazarı", "body": "Qubada alma bazarı açıldı."}, False),
        (CONTENT, {"body": ""}, True),
        (CONTENT, {"title": "Nar", "body": ""}, False),
        (CONTENT, {"language": "tr"}, False),
        (CONTENT, {"hashtags": ("nar", "bayram")}, True),
        (CONTENT, {"hashtags": ("a", "b", "c", "d")}, False),
        (CONTENT, {"media": (photo(alt="Bazarda nar satan kişi"),)}, True),
        (CONTENT, {"media": (photo(alt="Tamam başqa bir şəkil, bambaşqa"),)}, False),
        (replace(CONTENT, media=(photo(alt=""),)), {"media": (photo(alt="Uzun təsvir " * 9),)}, True),
        (LONG, {"body": LONG.body.replace("söz1 ", "bir ").replace("söz7 ", "yeddi ")}, True),
        (LONG, {"body": LONG.body.replace("söz", "sözlər")}, False),
        (LONG, {"body": LONG.body[: len(LONG.body) // 2]}, False),
        (UNSPACED, {"body": UNSPACED.body.replace("自由", "平静")}, True),
        (UNSPACED, {"body": "今天没有任何新闻可以报告给大家"}, False),
    ],
)
def test_an_edit_is_small_or_needs_a_second_person(
    sent: Content, changes: dict[str, Any], is_small: bool
) -> None:
    content = replace(sent, **changes)

    assert small(sent, content) is is_small


@pytest.mark.parametrize(
    "edits", [Edits(language="tr"), Edits(title="Alma bazarı", body="Qubada alma bazarı açıldı.")]
)
def test_more_than_a_small_edit_needs_a_second_person(edits: Edits) -> None:
    first = rule(PLAIN, Decision("approve", edits=edits))

    assert (first.state, first.required) == ("in_review", 2)
    assert refusal(standing(first), APPROVE, "one") == "second_person_needed"
    assert rule(standing(first), APPROVE, "two").state == "approved"


def test_many_small_edits_are_one_large_one() -> None:
    case = PLAIN
    for words in (("Göyçayda", "Qubada"), ("nar", "alma"), ("bayramı", "bazarı")):
        edits = Edits(body=case.content.body.replace(*words))
        case = replace(
            standing(rule(case, Decision("approve", edits=edits))), state="in_review", approvals=()
        )

    assert rule(case, APPROVE).state == "in_review"


def test_the_digest_covers_every_part_of_content_and_plan() -> None:
    changed = [
        digest(replace(CONTENT, title="x"), Plan()),
        digest(replace(CONTENT, body="x"), Plan()),
        digest(replace(CONTENT, language="tr"), Plan()),
        digest(replace(CONTENT, hashtags=()), Plan()),
        digest(replace(CONTENT, media=(photo("b"),)), Plan()),
        digest(CONTENT, Plan(("site",))),
        digest(CONTENT, Plan(None, NOW)),
        digest(CONTENT, Plan()),
    ]

    assert len(set(changed)) == len(changed)


PEOPLE = ["author", "one", "two", "three"]
STEPS = st.tuples(
    st.sampled_from(PEOPLE),
    st.booleans(),
    st.sampled_from([APPROVE, ESCALATE, REJECT, Decision("approve", edits=Edits(title="Nar"))]),
)


@given(st.lists(STEPS, max_size=8), st.sampled_from([(), ("minors",), ("graphic", "rights")]))
def test_nothing_sensitive_is_ever_approved_by_fewer_than_two(
    steps: list[tuple[str, bool, Decision]], classes: tuple[str, ...]
) -> None:
    case = replace(PLAIN, classes=classes)
    for actor, editor, decision in steps:
        try:
            outcome = rule(case, decision, actor, editor=editor)
        except DecisionRefused:
            continue
        case = standing(outcome)
        hashed = digest(case.content, case.plan)
        assert all(each.digest == hashed for each in case.approvals)
        assert "author" not in {each.person_id for each in case.approvals}
        if case.state == "approved":
            needed = 2 if classes else 1
            assert len({each.person_id for each in case.approvals}) >= needed


def test_approvals_are_told_with_who_and_when() -> None:
    outcome = rule(PLAIN, APPROVE)

    assert outcome.approvals == (CaseApproved("one", NOW, digest(CONTENT, Plan())),)


def test_what_a_moderator_writes_is_kept_as_what_an_author_writes() -> None:
    outcome = rule(PLAIN, Decision("approve", edits=Edits(body="e\u0301\n\n\u2067\u0639\u2069  x")))

    assert outcome.content.body == "\u00e9\n\n\u2067\u0639\u2069  x"


VIDEO = Media(sha256="b" * 64, type="video/mp4", bytes=10, width=2, height=3, duration=1.5)
FOUR_HOURS_EAST = timezone(timedelta(hours=4))


@pytest.mark.parametrize(
    ("content", "plan", "stored"),
    [
        (
            Content("T", "B", "az"),
            Plan(),
            "a4d87bfd76cd6d2b693c98fed5e111bcda8266e5d78e8d15f3f217f93c5f69c6",
        ),
        (
            Content("T", "B", "az"),
            Plan(()),
            "d243ad2d0030c44b8a295784ad1dd4ba897d86969564c920efbfe8108dded81f",
        ),
        (
            Content(
                "T",
                "B",
                "az",
                ("b", "a"),
                (
                    Media(sha256="a" * 64, type="image/jpeg", bytes=10, width=2, height=3, alt="x"),
                    VIDEO,
                ),
            ),
            Plan(("tg", "site"), datetime(2026, 5, 28, 12, 0, tzinfo=FOUR_HOURS_EAST)),
            "51a8bdadd3155c4dfe495121fb1707b6ed835ed0e3dbb5cb5e36966a50d99c43",
        ),
    ],
)
def test_approvals_that_were_stored_by_earlier_versions_still_hold(
    content: Content, plan: Plan, stored: str
) -> None:
    assert digest(content, plan) == stored


@pytest.mark.parametrize("field", [field.name for field in (*fields(Content), *fields(Plan))])
def test_an_approval_covers_every_field(field: str) -> None:
    content, plan = Content("T", "B", "az"), Plan()
    other: Any = {
        "title": "U",
        "body": "C",
        "language": "tr",
        "hashtags": ("a",),
        "media": (VIDEO,),
        "channels": ("site",),
        "publish_at": datetime(2026, 5, 28, 12, 0, tzinfo=UTC),
    }[field]
    changed = (
        (replace(content, **{field: other}), plan)
        if hasattr(content, field)
        else (
            content,
            replace(plan, **{field: other}),
        )
    )

    assert digest(*changed) != digest(content, plan)


def test_a_field_that_content_gets_one_day_is_approved_too() -> None:
    later = make_dataclass("later", [("summary", str, "")], bases=(Content,), frozen=True)

    assert digest(later("T", "B", "az", summary="one"), Plan()) != digest(
        later("T", "B", "az", summary="two"), Plan()
    )


def test_events_tell_all_that_is_approved() -> None:
    approved = {field.name for field in (*fields(Content), *fields(Plan))}

    assert approved <= set(Snapshot.model_fields)
    assert {field.name for field in fields(Content)} <= set(SubmissionReceived.model_fields)
