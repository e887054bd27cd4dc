from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.addresses import parts_of, web_address


@pytest.mark.parametrize(
    "given",
    [
        "https://example.org",
        "http://localhost:8400/path?x=1#y",
        "http://127.0.0.1:8401",
        "http://[::1]:8401/",
        "https://xn--bcher-kva.example",
        "https://bücher.example/süß",
        "https://خبر.example",
        "http://object_store:9000",
        "https://example.org.",
    ],
)
def test_an_address_of_the_web_has_a_host(given: str) -> None:
    assert web_address(given).hostname


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "does not begin"),
        ("example.org", "does not begin"),
        ("ftp://example.org", "does not begin"),
        ("javascript:alert(1)", "does not begin"),
        ("https://", "no host"),
        ("https:///path", "no host"),
        ("https://?x", "no host"),
        ("https://:80", "no host"),
        ("https://.", "no host"),
        ("https://-x.example", "no host"),
        ("https://a..b", "no host"),
        ("https://exam%ple.org", "no host"),
        ("https://1.2.3.4.5", "no host"),
        ("https://256.1.1.1", "no host"),
        ("https://" + "a" * 64 + ".example", "no host"),
        ("https://[foo", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://example.org:port", "cannot be read"),
        ("https://example.org:99999", "cannot be read"),
        ("https://exam ple.org", "space"),
        ("https://example.org/a b", "space"),
        ("https://example.org\n", "space"),
        ("https://exam\u200bple.org", "invisible"),
        ("https://example.org/\ud800", "invisible"),
        ("https://user:secret@example.org", "name or password"),
        ("https://example.org/" + "a" * 2000, "characters"),
    ],
)
def test_what_is_no_address_is_refused_with_what_is_wrong_and_not_quoted(given: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        web_address(given)

    assert "secret" not in str(refused.value)


@given(st.text() | st.text().map("https://{}".format) | st.text().map("//[{}".format))
def test_any_text_is_taken_apart_or_refused(given: str) -> None:
    parts_of(given)
    with suppress(ValueError):
        assert web_address(given).hostname
