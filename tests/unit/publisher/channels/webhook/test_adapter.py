from dataclasses import replace
from datetime import timedelta

import pytest

from services.publisher.channels.webhook.adapter import event_type, keys_in, message_id, payload
from tests.support.builders.posts import post


def test_an_id_is_the_same_for_every_attempt_and_another_for_every_fact() -> None:
    assert message_id("d1", "submission.published") == message_id("d1", "submission.published")
    assert message_id("d1", "submission.published") != message_id("d1", "submission.removed")
    assert message_id("d1", "submission.published") != message_id("d2", "submission.published")
    assert message_id("d1", "submission.published") != message_id("d1", "submission.published", 1)


def test_the_body_is_the_same_for_every_attempt() -> None:
    first = post()

    assert payload(first, "submission.published") == payload(
        replace(first, attempt=5), "submission.published"
    )
    assert payload(first, "submission.published") != payload(
        replace(first, planned_at=first.planned_at + timedelta(seconds=1)), "submission.published"
    )


def test_only_what_takes_the_place_of_something_is_an_update() -> None:
    assert event_type(post(revision=3)) == "submission.published"
    assert event_type(replace(post(revision=3), previous_remote_id="msg_1")) == "submission.updated"


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_dGVzdA== other"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook"):
        keys_in(secret)


def test_two_secrets_are_two_keys() -> None:
    assert keys_in("whsec_b25l whsec_dHdv") == (b"one", b"two")
