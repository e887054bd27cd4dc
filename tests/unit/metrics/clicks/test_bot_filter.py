"""People count, machines that look on their behalf don't."""

from pathlib import Path

import pytest

from services.metrics.clicks.bot_filter import is_person

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
HERE = Path(__file__).parent
PEOPLE = (HERE / "agents_of_people.txt").read_text(encoding="utf-8").splitlines()
MACHINES = [*(HERE / "agents_of_machines.txt").read_text(encoding="utf-8").splitlines(), "", "   "]


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_browser_counts(agent: str) -> None:
    assert is_person("GET", {"user-agent": agent})


@pytest.mark.parametrize("agent", MACHINES)
def test_a_machine_does_not(agent: str) -> None:
    assert not is_person("GET", {"user-agent": agent})


def test_a_request_that_does_not_say_what_it_is_does_not_count() -> None:
    assert not is_person("GET", {})


def test_only_following_the_link_counts_not_asking_about_it() -> None:
    assert not is_person("HEAD", {"user-agent": FIREFOX})


@pytest.mark.parametrize(
    "header",
    [
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-purpose", "Preview"),
        ("x-moz", "prefetch"),
    ],
)
def test_loading_ahead_does_not_count(header: tuple[str, str]) -> None:
    assert not is_person("GET", {"user-agent": FIREFOX, header[0]: header[1]})


def test_a_name_without_end_costs_no_more_than_a_long_one() -> None:
    assert not is_person("GET", {"user-agent": "x" * 100_000})
    assert is_person("GET", {"user-agent": f"{FIREFOX} {'(KHTML) ' * 20_000}"})
