"""Orders to a running stack, through a unix socket in its home: one JSON line there, one JSON line back."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Order = dict[str, Any]
Answer = dict[str, Any]
_LONGEST_PATH = 100
"""Bytes that every system allows for the path of a unix socket."""
_LONGEST_ORDER = 60.0


def socket_path(home: Path) -> Path:
    """In the home, or in a private temporary folder where the home's path is too long for a socket."""
    path = home / "control.sock"
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="konullu-", dir="/tmp")) / "control.sock"


class Control:
    """Listens for orders and answers each with what `obey` returns."""

    def __init__(self, path: Path, obey: Callable[[Order], Awaitable[Answer]]) -> None:
        self.path = path
        self._obey = obey
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        self.path.chmod(0o600)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._obey(json.loads(await reader.readline()))
        except ValueError as error:
            answer = {"error": str(error)}
        try:
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


def ask(path: Path, order: Order) -> Answer:
    """Send one order. Raises `OSError` when nobody listens, `TimeoutError` when no answer comes."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(_LONGEST_ORDER)
        link.connect(str(path))
        link.sendall(json.dumps(order).encode() + b"\n")
        with link.makefile("rb") as reply:
            answer: Answer = json.loads(reply.readline() or b"{}")
    return answer
