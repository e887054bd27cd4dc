from datetime import UTC, datetime

import pytest

from services.publisher.channels.http_client import Answer, Wire, retry_after

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Mon, 04 May 2026 09:30:30 GMT", 30.0),
        ("Mon, 04 May 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-3", None),
    ],
)
def test_a_wait_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "ambiguous"),
    [
        (200, False),
        (204, False),
        (302, True),
        (400, False),
        (404, False),
        (408, True),
        (429, False),
        (500, True),
    ],
)
def test_a_status_tells_whether_the_call_was_carried_out(status: int, ambiguous: bool) -> None:
    assert Answer(status, {}, b"").ambiguous is ambiguous


async def test_secrets_are_taken_out_of_what_people_read() -> None:
    wire = Wire("tg", secrets=("42:secret", ""))

    assert wire.scrub("POST /bot42:secret/sendMessage failed") == "POST /bot***/sendMessage failed"
    await wire.close()
