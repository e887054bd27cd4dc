from dataclasses import replace

import pytest
from starlette.datastructures import FormData, UploadFile

from services.ingest.people.forms import read_newcomer
from services.ingest.people.pages import local
from services.ingest.submissions.forms import field_of_problem, mistakes_of, read_send
from services.ingest.validation.form_fields import field_of
from services.ingest.validation.rules import SubmissionRules

RULES = SubmissionRules(
    countries=frozenset({"AZ", "TR"}),
    sections=frozenset({"youth"}),
    terms_version="1",
    title=20,
    body=100,
    alt=30,
    hashtags=3,
    media=2,
)
Fields = list[tuple[str, str | UploadFile]]

FILLED: Fields = [
    ("key", "k1"),
    ("title", "Bayram"),
    ("body", "Bir.\r\n\r\nİki."),
    ("language", "az"),
    ("country", "AZ"),
    ("hashtags", "#bir iki"),
    ("attribution", "name"),
    ("people_shown", "none"),
    ("rights", "own"),
    ("terms", "yes"),
    ("terms_version", "1"),
    ("upload_id", "u1"),
    ("upload_name", "a.jpg"),
    ("alt", "Xalça"),
]


def test_a_form_becomes_a_draft_with_the_line_breaks_that_were_written() -> None:
    draft = read_send(FormData(FILLED)).draft()
    assert draft.body == "Bir.\n\nİki."
    assert draft.hashtags == ("#bir", "iki")
    assert [(each.upload_id, each.alt) for each in draft.attachments] == [("u1", "Xalça")]
    assert draft.attribution.mode == "name"
    assert draft.attribution.text is None


def test_a_form_with_everything_has_nothing_to_mend() -> None:
    assert mistakes_of(read_send(FormData(FILLED)), RULES) == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("title", "", ["title"]),
        ("title", "x" * 21, ["title"]),
        ("language", "", ["language"]),
        ("country", "XX", ["country"]),
        ("section", "nobody", ["section"]),
        ("hashtags", "$$$", ["hashtags"]),
        ("hashtags", "a b c d", ["hashtags"]),
        ("attribution", "", ["attribution"]),
        ("attribution", "pseudonym", ["attribution"]),
        ("people_shown", "", ["consent"]),
        ("rights", "stolen", ["consent"]),
        ("terms", "", ["consent"]),
        ("terms_version", "0", ["terms"]),
        ("alt", " ", ["alt"]),
        ("alt", "x" * 31, ["alt"]),
    ],
)
def test_each_thing_that_is_missing_or_wrong_is_named_once(
    name: str, value: str, expected: list[str]
) -> None:
    fields: Fields = [(key, value if key == name else kept) for key, kept in FILLED]
    form = read_send(FormData(fields if name in dict(FILLED) else [*FILLED, (name, value)]))
    assert mistakes_of(form, RULES) == expected


def test_all_mistakes_are_told_together() -> None:
    form = replace(read_send(FormData(FILLED)), title="", country="", terms=False)
    assert mistakes_of(form, RULES) == ["title", "country", "consent"]


def test_a_file_whose_upload_never_ended_is_no_attachment() -> None:
    fields: Fields = [*FILLED, ("upload_id", ""), ("upload_name", "b.jpg"), ("alt", "")]
    assert len(read_send(FormData(fields)).files) == 1


def test_a_newcomer_may_write_in_a_language_that_was_not_offered() -> None:
    fields = FormData([("name", "Aygün"), ("country", "TR"), ("languages", "az"), ("other_language", "ka")])
    newcomer, other = read_newcomer(fields)
    assert newcomer.languages == ("az", "ka")
    assert newcomer.section is None
    assert other == "ka"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("title", "title"),
        ("hashtags.2", "hashtags"),
        ("media.0.alt", "alt"),
        ("media", "media"),
        ("attribution.text", "attribution"),
        ("consent.terms_version", "terms"),
    ],
)
def test_a_mistake_belongs_to_a_field_of_the_page(name: str, expected: str) -> None:
    assert field_of(name) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("upload_unknown", "upload"),
        ("media_truncated", "unsafe"),
        ("idempotency_key_reused", "key"),
        ("forbidden", None),
    ],
)
def test_a_refusal_that_a_field_can_mend_leads_there(code: str, expected: str | None) -> None:
    assert field_of_problem(code) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/send/abc?x=1", "/send/abc?x=1"),
        ("//elsewhere.example", ""),
        ("/\\elsewhere.example", ""),
        ("https://elsewhere.example", ""),
        ("/\t/elsewhere.example", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_nobody_is_led_elsewhere_after_signing_in(address: str, expected: str) -> None:
    assert local(address) == expected
