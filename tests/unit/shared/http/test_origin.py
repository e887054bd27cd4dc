"""Whose page a request comes from, whatever a browser or somebody else writes there."""

import pytest
from fastapi import Request

from shared.http.origin import is_from_another_site

HOST = (b"host", b"campaign.example")


@pytest.mark.parametrize(
    ("origin", "another"),
    [
        (None, False),
        ("https://campaign.example", False),
        ("https://elsewhere.example", True),
        ("https://campaign.example.elsewhere.example", True),
        ("null", True),
        ("", True),
        ("http://[foo", True),
        ("//[", True),
        ("http://campaign.example:99999999", True),
        ("http://campaign.example:port", True),
        ("campaign.example", True),
    ],
)
def test_a_page_on_another_host_is_told_from_ours(origin: str | None, another: bool) -> None:
    headers = [HOST] if origin is None else [HOST, (b"origin", origin.encode())]

    assert is_from_another_site(Request({"type": "http", "headers": headers})) is another
