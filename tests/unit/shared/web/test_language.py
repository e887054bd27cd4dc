import pytest

from shared.web.language import direction, negotiate


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("az", "ltr"),
        ("ar", "rtl"),
        ("he-IL", "rtl"),
        ("fa", "rtl"),
        ("az-Arab", "rtl"),
        ("ku-Arab-IQ", "rtl"),
        ("ar-Latn", "ltr"),
        ("ckb", "rtl"),
        ("ka", "ltr"),
        ("UR_pk", "rtl"),
    ],
)
def test_a_text_runs_the_way_of_its_script(tag: str, expected: str) -> None:
    assert expected == direction(tag)


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "expected"),
    [
        ("tr", "ru", "az", "tr"),
        (None, "ru", "az", "ru"),
        (None, None, "az-AZ,az;q=0.9,en;q=0.8", "az"),
        (None, None, "de,ka;q=0.9,ru;q=0.5,tr;q=0.7", "tr"),
        (None, None, "de", "en"),
        (None, None, "ru;q=0,tr", "tr"),
        (None, None, "ru;q=rubbish,,;,tr;q=0.1", "tr"),
        ("xx", "<script>", None, "en"),
        (None, None, None, "en"),
    ],
)
def test_the_page_speaks_the_language_that_was_asked_for_kept_or_accepted(
    asked: str | None, kept: str | None, accepted: str | None, expected: str
) -> None:
    assert expected == negotiate(offered={"az", "en", "tr", "ru"}, asked=asked, kept=kept, accepted=accepted)
