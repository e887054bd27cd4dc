from dataclasses import replace

import pytest

from services.publisher.channels.mastodon.links import status_id
from services.publisher.channels.mastodon.message import CHARACTERS, characters, idempotency_key, status_for
from tests.support.builders.posts import post


def test_a_link_counts_as_twenty_three_characters_however_long_it_is() -> None:
    assert characters("see https://example.org/" + "x" * 100) == len("see ") + 23


@pytest.mark.parametrize("body", ["Kısa.", "Sərgi bu gün açıldı. " * 100, "👩‍👩‍👧‍👦" * 400])
def test_a_status_fits_and_carries_its_link(body: str) -> None:
    shown = post(body=body)
    status = status_for(shown)

    assert characters(status["status"]) <= CHARACTERS
    assert shown.short_link in status["status"]
    assert status["language"] == "az"


def test_a_key_is_the_same_for_every_attempt_and_another_once_it_was_taken_back() -> None:
    shown = post()

    assert idempotency_key(shown) == idempotency_key(replace(shown, attempt=4))
    assert idempotency_key(shown) != idempotency_key(replace(shown, round=1))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1122", "1122"),
        ("https://masto.example/@campaign/1122", "1122"),
        ("https://masto.example/@campaign/1122/embed?x=1#2", "1122"),
        ("https://masto.example/users/campaign/statuses/1122", "1122"),
        ("https://masto.example/@campaign", None),
        ("d7k2m4p6q8s2v4x6z2b4d6f8h2", None),
        ("https://[", None),
    ],
)
def test_a_status_is_known_by_any_of_its_addresses(text: str, number: str | None) -> None:
    assert status_id(text) == number
