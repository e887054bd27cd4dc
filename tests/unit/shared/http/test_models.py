import pytest
from pydantic import ValidationError

from shared.http.models import StrictBody


class Inner(StrictBody):
    text: str | None = None


class Outer(StrictBody):
    text: str | None = None
    texts: tuple[str, ...] = ()
    named: dict[str, str] | None = None
    inner: Inner | None = None


@pytest.mark.parametrize(
    "given",
    [
        {"text": "\ud800"},
        {"text": "a\udfffb"},
        {"texts": ["a", "\ud83d"]},
        {"named": {"a": "\ud800"}},
        {"named": {"\ud800": "a"}},
        {"inner": {"text": "\ud800"}},
    ],
)
def test_half_a_character_is_refused_wherever_it_stands(given: object) -> None:
    with pytest.raises(ValidationError, match="holds half a character"):
        Outer.model_validate(given)


@pytest.mark.parametrize("name", ["\ud800", "\udfff{}", "texd", "", "a" * 5000])
def test_a_field_that_there_is_not_is_named_even_where_it_is_no_text(name: str) -> None:
    with pytest.raises(ValidationError, match="there is no field"):
        Outer.model_validate({name: "\ud800"})


def test_whole_characters_of_all_planes_are_text() -> None:
    given = {"text": "ə👩\u200d🌾\U0010ffff", "texts": ["ə"], "named": {"ə": "ə"}, "inner": {"text": "ə"}}

    assert Outer.model_validate(given).text == given["text"]
