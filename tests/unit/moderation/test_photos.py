"""Parts of a photo, as a browser asks for them."""

import pytest

from services.moderation.photos import span
from shared.problems import Problem


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=0-3,5-6", None),
        ("lines=0-3", None),
        ("bytes=0-3", (0, 4)),
        ("bytes=5-", (5, 10)),
        ("bytes=5-99", (5, 10)),
        ("bytes=-4", (6, 10)),
        ("bytes=-99", (0, 10)),
    ],
)
def test_a_range_is_understood(header: str | None, part: tuple[int, int] | None) -> None:
    assert span(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=7-3", "bytes=-0"])
def test_a_range_of_nothing_is_refused(header: str) -> None:
    with pytest.raises(Problem) as caught:
        span(header, 10)
    assert (caught.value.status, caught.value.headers) == (416, {"Content-Range": "bytes */10"})
