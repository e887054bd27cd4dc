"""What a moderator's form says, as the decision that the API takes."""

from datetime import UTC, datetime

import pytest
from starlette.datastructures import FormData

from services.moderation.cases.rules import Content
from services.moderation.desk.forms import decision_of
from shared.http.problems import Problem
from tests.support.builders.submissions import photo

PHOTO = photo(alt="Nar bağı")
CONTENT = Content("Novruz", "Birinci sətir\nİkinci sətir", "az", ("novruz",), (PHOTO,))
UNTOUCHED = {
    "claim_token": "t",
    "verdict": "approve",
    "title": "Novruz",
    "body": "Birinci sətir\r\nİkinci sətir",
    "hashtags": "#novruz",
    f"alt-{PHOTO.sha256}": "Nar bağı",
}


def test_a_form_sent_back_as_it_was_edits_nothing() -> None:
    assert decision_of(FormData(UNTOUCHED), CONTENT).edits is None


def test_what_was_changed_is_an_edit_and_nothing_else_is() -> None:
    form = FormData(UNTOUCHED | {"hashtags": "#novruz, bahar", f"alt-{PHOTO.sha256}": "Nar\r\nbağı"})

    edits = decision_of(form, CONTENT).edits

    assert edits is not None
    assert edits.model_dump(exclude_none=True) == {
        "hashtags": ("novruz", "bahar"),
        "alts": {PHOTO.sha256: "Nar\nbağı"},
    }


def test_of_a_photo_that_is_there_twice_each_description_has_a_field_of_its_own() -> None:
    twice = Content("Novruz", "", "az", (), (PHOTO, photo(alt="Arxası")))
    form = FormData({"claim_token": "t", "verdict": "approve", "alt-1": "Nar bağı", "alt-2": "Arxa tərəfi"})

    edits = decision_of(form, twice).edits

    assert edits is not None
    assert edits.alts == {"2": "Arxa tərəfi"}


@pytest.mark.parametrize("tag", ["col·lecció", "צה״ל", "हिन्दी"])
def test_a_tag_that_an_author_may_give_a_moderator_may_keep(tag: str) -> None:
    edits = decision_of(FormData(UNTOUCHED | {"hashtags": f"#{tag}، bahar"}), CONTENT).edits

    assert edits is not None
    assert edits.hashtags == (tag, "bahar")


def test_a_rejection_carries_its_reasons_and_no_edits() -> None:
    form = FormData(
        [("claim_token", "t"), ("verdict", "reject"), ("title", "Ö"), ("reasons", "a"), ("reasons", "b")]
    )

    decision = decision_of(form, CONTENT)

    assert (decision.reasons, decision.edits) == (("a", "b"), None)


@pytest.mark.parametrize(
    ("offset", "hour"),
    [("", 18), ("0", 18), ("-240", 14), ("300", 23)],
)
def test_a_time_is_read_in_the_moderators_own_zone(offset: str, hour: int) -> None:
    form = FormData(UNTOUCHED | {"publish_at": "2026-03-20T18:00", "offset": offset})

    assert decision_of(form, CONTENT).publish_at == datetime(2026, 3, 20, hour, tzinfo=UTC)


@pytest.mark.parametrize(("local", "offset"), [("tomorrow", "0"), ("2026-03-20T18:00", "x")])
def test_what_is_no_time_is_told_at_its_field(local: str, offset: str) -> None:
    form = FormData(UNTOUCHED | {"publish_at": local, "offset": offset})

    with pytest.raises(Problem) as refused:
        decision_of(form, CONTENT)

    assert (refused.value.code, refused.value.extra["field"]) == ("publish_at", "publish_at")
