"""Questions that tell readiness: NATS greets, MongoDB is writable, HTTP says 200, a port opens."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable

Probe = Callable[[], Awaitable[bool]]
PATIENCE = 2.0
"""Seconds after which a silent process counts as not ready."""
AWAY = (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError)

_HELLO_BODY = b"\x10hello\x00\x01\x00\x00\x00" + b"\x02$db\x00\x06\x00\x00\x00admin\x00" + b"\x00"
_HELLO_DOCUMENT = struct.pack("<i", len(_HELLO_BODY) + 4) + _HELLO_BODY
_OP_MSG = 2013
_MOST_REPLY = 1 << 20


def port_open(host: str, port: int) -> Probe:
    async def ask() -> bool:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return True

    return _or_false(ask)


def nats_greets(host: str, port: int) -> Probe:
    """NATS accepts connections once JetStream has recovered its streams, and greets with what it can do."""

    async def ask() -> bool:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                kind, _, detail = (await reader.readline()).partition(b" ")
            finally:
                writer.close()
        return kind == b"INFO" and bool(json.loads(detail).get("jetstream"))

    return _or_false(ask)


def mongo_writable(host: str, port: int) -> Probe:
    """The wire protocol's own question, spoken here so that the supervisor needs no driver."""

    async def ask() -> bool:
        body = struct.pack("<iB", 0, 0) + _HELLO_DOCUMENT
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(struct.pack("<iiii", len(body) + 16, 1, 0, _OP_MSG) + body)
                (length,) = struct.unpack("<i", await reader.readexactly(4))
                reply = await reader.readexactly(min(length, _MOST_REPLY) - 4)
            finally:
                writer.close()
        return b"\x08isWritablePrimary\x00\x01" in reply

    return _or_false(ask)


def http_ok(host: str, port: int, path: str) -> Probe:
    async def ask() -> bool:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                status = (await reader.readline()).split()
            finally:
                writer.close()
        return len(status) > 1 and status[1] == b"200"

    return _or_false(ask)


def _or_false(ask: Probe) -> Probe:
    async def answer() -> bool:
        try:
            return await ask()
        except AWAY:
            return False

    return answer
