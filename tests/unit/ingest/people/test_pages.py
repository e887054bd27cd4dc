"""Where people are led after they have signed in: to a page of this site, or to where their work is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.people.pages import NEXT_LONGEST, local


@pytest.mark.parametrize("address", ["/send", "/send/new?lang=az", "/desk/moderation#note", "/a//b", "/[foo"])
def test_a_path_of_this_site_is_kept(address: str) -> None:
    assert local(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "//[foo",
        "//elsewhere.example",
        "///elsewhere.example",
        "/\\elsewhere.example",
        "\\\\elsewhere.example",
        "https://elsewhere.example",
        "http://[foo",
        "javascript:alert(1)",
        "send",
        " /send",
        "/se\nnd",
        "/" + "a" * NEXT_LONGEST,
    ],
)
def test_nobody_is_led_elsewhere(address: str) -> None:
    assert local(address) == ""


@given(st.text())
def test_whatever_is_asked_for_it_is_a_path_of_this_site_or_nothing(address: str) -> None:
    kept = local(address)

    assert kept in {"", address}
    assert kept == "" or (kept[0] == "/" and kept[1:2] not in {"/", "\\"})
