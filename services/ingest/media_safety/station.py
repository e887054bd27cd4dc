"""The safety pass in a container of its own: `python -m services.ingest.media_safety.station <socket>`.

The container has no network, no keys and no volume but the socket's. Each order brings two open files and the limits of the
pass; its answer is what the worker said. Who hangs up ends the worker.
"""

import asyncio
import json
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

from services.ingest.media_safety.model import MediaLimits
from services.ingest.media_safety.sandbox import WAIVED, LocalSandbox, Sandbox, ScreeningAnswer

AT_ONCE: Final = 2
ORDER_BYTES: Final = 4096
PATIENCE: Final = 5.0
"""Seconds that a caller has to say what it wants."""


async def serve(path: Path, sandbox: Sandbox) -> None:
    """Answer for ever whoever may open the socket: its owner and its group."""
    room, loop = asyncio.Semaphore(AT_ONCE), asyncio.get_running_loop()
    with _door(path) as door:
        async with asyncio.TaskGroup() as group:
            while True:
                caller, _ = await loop.sock_accept(door)
                group.create_task(_attend(caller, sandbox, room))


def _door(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.setblocking(False)
    door.bind(str(path))
    path.chmod(0o660)
    door.listen(64)
    return door


async def _attend(caller: socket.socket, sandbox: Sandbox, room: asyncio.Semaphore) -> None:
    with caller, ExitStack() as files:
        caller.setblocking(False)
        try:
            async with asyncio.timeout(PATIENCE):
                await _readable(caller)
            order, descriptors, *_ = socket.recv_fds(caller, ORDER_BYTES, 2, socket.MSG_CMSG_CLOEXEC)
            for descriptor in descriptors:
                files.callback(os.close, descriptor)
            source, target = (os.fdopen(one, "r+b", 0, closefd=False) for one in descriptors)
            limits = MediaLimits(**json.loads(order))
        except (OSError, ValueError, TypeError, TimeoutError):
            return
        await _answer(caller, sandbox, (source, target, limits), room)


async def _answer(
    caller: socket.socket,
    sandbox: Sandbox,
    order: tuple[BinaryIO, BinaryIO, MediaLimits],
    room: asyncio.Semaphore,
) -> None:
    """Run one pass, unless the caller hangs up before it ends."""

    async def run() -> ScreeningAnswer:
        async with room:
            return await sandbox.run(*order)

    working, hung_up = asyncio.create_task(run()), asyncio.create_task(_readable(caller))
    try:
        await asyncio.wait((working, hung_up), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await asyncio.get_running_loop().sock_sendall(caller, working.result().packed())
    except OSError:
        return
    finally:
        for task in (working, hung_up):
            task.cancel()
        await asyncio.gather(working, hung_up, return_exceptions=True)


async def _readable(connection: socket.socket) -> None:
    """Until there is something to read, or the other side has hung up."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)


def main(arguments: list[str]) -> int:
    """Serve until the process is ended."""
    waived = len(arguments) > 1 and arguments[1] == WAIVED
    asyncio.run(serve(Path(arguments[0]), LocalSandbox(waived=waived)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
