"""Uploading a file with tus 1.0.0: in pieces, with a progress bar, going on where a broken connection stopped."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import httpx

from deploy.cli.calls import CallRefused, call

PIECE = 4 << 20
"""Bytes sent at once."""
_TUS = {"Tus-Resumable": "1.0.0"}
_CONFLICT = 409
_MOST_CONFLICTS = 5


def upload(link: httpx.Client, endpoint: str, path: Path, advance: Callable[[int], None]) -> str:
    """Send one file; returns its upload id. `advance` is called with the bytes that arrived."""
    size = path.stat().st_size
    kind = base64.b64encode(_type_of(path).encode()).decode()
    headers = _TUS | {"Upload-Length": str(size), "Upload-Metadata": f"filetype {kind}"}
    # Repeatable: an upload whose answer was lost stays empty and expires.
    created = call(link, "POST", endpoint, repeatable=True, headers=headers, content=b"")
    url = urljoin(str(created.url), created.headers["Location"])
    offset, conflicts = 0, 0
    with path.open("rb") as file:
        while offset < size:
            file.seek(offset)
            try:
                reached = _send(link, url, offset, file.read(PIECE))
            except CallRefused as refusal:
                conflicts += 1
                if refusal.status != _CONFLICT or conflicts > _MOST_CONFLICTS:
                    raise
                # A piece had arrived, but its answer was lost.
                reached = _reached(link, url)
            advance(max(0, reached - offset))
            offset = reached
    return url.rstrip("/").rpartition("/")[2]


def _send(link: httpx.Client, url: str, offset: int, piece: bytes) -> int:
    headers = _TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    answer = call(link, "PATCH", url, repeatable=True, headers=headers, content=piece)
    return int(answer.headers["Upload-Offset"])


def _reached(link: httpx.Client, url: str) -> int:
    return int(call(link, "HEAD", url, repeatable=True, headers=_TUS).headers["Upload-Offset"])


def _type_of(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
