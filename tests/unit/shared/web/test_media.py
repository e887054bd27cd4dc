import pytest

from shared.http.problems import Problem
from shared.web.media import span


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=-30", (70, 100)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=-", None),
        ("bytes=1-2,5-6", None),
        ("chapters=1-2", None),
    ],
)
def test_a_part_of_a_file_is_what_was_asked_for(header: str | None, expected: tuple[int, int] | None) -> None:
    assert span(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=50-40", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused_with_the_size(header: str) -> None:
    with pytest.raises(Problem) as refused:
        span(header, 100)
    assert refused.value.status == 416
    assert refused.value.headers == {"Content-Range": "bytes */100"}
