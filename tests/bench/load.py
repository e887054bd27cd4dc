"""As many requests as fit through a number of open connections. Written by hand: a client library would be measured too."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """What a run gave."""

    per_second: float
    p50: float
    """Seconds."""
    p99: float
    """Seconds."""
    refused: int


def request(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    """One POST as bytes."""
    parts, content = urlsplit(url), json.dumps(body).encode()
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def run(url: str, make: Callable[[], bytes], *, connections: int, seconds: float) -> Load:
    """Send until the time is over; each connection waits for its answer before it sends again."""
    parts = urlsplit(url)
    took: list[float] = []
    refused = 0
    end = perf_counter() + seconds

    async def one() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (began := perf_counter()) < end:
            writer.write(make())
            status = await _answer(reader)
            took.append(perf_counter() - began)
            refused += status != 202
        writer.close()

    began = perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    took.sort()
    return Load(
        per_second=len(took) / (perf_counter() - began),
        p50=took[len(took) // 2],
        p99=took[len(took) * 99 // 100],
        refused=refused,
    )


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])
