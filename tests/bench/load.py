"""Requests through a number of open connections. Written by hand: a client library would be measured too."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from tests.bench.report import percentile

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Load:
    """What a run gave."""

    sent: int
    seconds: float
    p50: float
    """Seconds."""
    p99: float
    """Seconds."""
    refused: int

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.sent / self.seconds


def request(url: str, body: Mapping[str, Any], headers: Mapping[str, str], method: str = "POST") -> bytes:
    """One request as bytes."""
    parts, content = urlsplit(url), json.dumps(body).encode()
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def run(
    url: str, make: Callable[[], bytes], *, connections: int, seconds: float = 1e9, most: int = 1 << 60
) -> Load:
    """Send until the time is over or `most` are sent; each connection waits for its answer before it sends again."""
    parts = urlsplit(url)
    took: list[float] = []
    refused = left = 0
    left = most
    end = perf_counter() + seconds

    async def one() -> None:
        nonlocal refused, left
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while left > 0 and (began := perf_counter()) < end:
            left -= 1
            writer.write(make())
            status, _ = await _answer(reader)
            took.append(perf_counter() - began)
            refused += status != 202
        writer.close()

    began = perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return Load(len(took), perf_counter() - began, percentile(took, 0.5), percentile(took, 0.99), refused)


@dataclass
class Caller:
    """Single calls to one address, each on an idle connection or a new one."""

    url: str
    _idle: list[Connection] = field(default_factory=list)

    async def ask(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], method: str = "POST"
    ) -> tuple[int, bytes]:
        """Status and body of the answer."""
        parts, asked = urlsplit(self.url), request(f"{self.url}{path}", body, headers, method)
        while self._idle:
            reader, writer = self._idle.pop()
            with suppress(asyncio.IncompleteReadError, ConnectionError):  # it was hung up while nobody spoke
                return await self._said(reader, writer, asked)
            writer.close()
        return await self._said(*await asyncio.open_connection(parts.hostname, parts.port), asked)

    async def _said(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes
    ) -> tuple[int, bytes]:
        writer.write(asked)
        answer = await _answer(reader)
        self._idle.append((reader, writer))
        return answer

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        return int(head.split(b" ", 2)[1]), b"".join([chunk async for chunk in _chunks(reader)])
    _, found, after = head.partition(b"content-length:")
    body = await reader.readexactly(int(after.split(b"\r\n", 1)[0])) if found else b""
    return int(head.split(b" ", 2)[1]), body


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readline()).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readline()
