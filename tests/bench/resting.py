"""P7: memory of each service at rest and under a large upload. P8: from `make up` to the first accepted submission."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Final

import httpx

from tests.bench.measured import ITEM, Measured, measured, plain, plain_handler, resident_mb
from tests.bench.report import Finding, at_most
from tests.support.people import TUS, Line, Volunteer, expect
from tests.support.processes import ROOT, start_mongo
from tests.support.stack import SERVICES, Stack, stack

SETTLE_SECONDS: Final = 5.0
LARGE_BYTES: Final = 2_000_000_000
PIECE_BYTES: Final = 2 * 1024 * 1024
LOOK_SECONDS: Final = 0.05
UP_SECONDS: Final = 120.0


async def p7() -> AsyncIterator[Finding]:
    """Memory of each service at rest, and what a 2 GB upload adds to ingest."""
    async with measured() as on:
        with plain(on.stack, on.folder) as other:
            await asyncio.sleep(SETTLE_SECONDS)
            assert other.process is not None
            beside = resident_mb(other.process.pid)
        pids = on.stack.pids()
        for name in SERVICES:
            yield at_most(
                "P7",
                f"memory of {name} at rest",
                resident_mb(pids[name]),
                110,
                "MB",
                baseline=beside,
                baseline_is="the plain handler",
            )
        before = resident_mb(pids["ingest"])
        highest, seconds = await _uploading(on, pids["ingest"])
        yield at_most(
            "P7",
            "memory a 2 GB upload adds to ingest",
            highest - before,
            32,
            "MB",
            baseline=before,
            baseline_is="before it",
        )
        yield Finding("P7", "the upload", LARGE_BYTES / seconds / 1e6, "MB/s")


async def _uploading(on: Measured, pid: int) -> tuple[float, float]:
    """The highest memory seen while a large file is sent, and how long it took."""
    highest, sending = 0.0, True

    async def watch() -> None:
        nonlocal highest
        while sending:
            highest = max(highest, resident_mb(pid))
            await asyncio.sleep(LOOK_SECONDS)

    watcher = asyncio.create_task(watch())
    began = perf_counter()
    await _send_large(on)
    seconds = perf_counter() - began
    await asyncio.sleep(SETTLE_SECONDS)  # what looks at the finished file begins
    sending = False
    await watcher
    return highest, seconds


async def _send_large(on: Measured) -> None:
    name = base64.b64encode(b"large.mp4").decode()
    kind = base64.b64encode(b"video/mp4").decode()
    headers = {**on.author.headers, **TUS}
    made = expect(
        await on.line.ask(
            "POST",
            "/api/ingest/v1/uploads",
            headers={
                **headers,
                "Upload-Length": str(LARGE_BYTES),
                "Upload-Metadata": f"filename {name},filetype {kind}",
            },
        ),
        201,
    )
    place = str(httpx.URL(f"{on.stack.url}/api/ingest/v1/uploads").join(made.headers["location"]))
    piece = b"\0\0\0\x18ftypisom" + os.urandom(PIECE_BYTES - 12)
    offset = 0
    while offset < LARGE_BYTES:
        part = piece[: LARGE_BYTES - offset]
        answer = await on.line.ask(
            "PATCH",
            place,
            content=part,
            again_on=frozenset(),
            headers={
                **headers,
                "Upload-Offset": str(offset),
                "Content-Type": "application/offset+octet-stream",
            },
        )
        offset = int(expect(answer, 204).headers["upload-offset"])


async def p8() -> AsyncIterator[Finding]:
    """From `make up` to the first accepted submission, with everything installed."""
    with tempfile.TemporaryDirectory(prefix="konullu-bench-") as name:
        folder = Path(name)
        with stack(
            folder / "first"
        ) as built:  # bytecode, keys and pages of a first start are not what is measured
            assert built.ready()
            environment = {**os.environ, **built.environment}
        began = perf_counter()
        with _make_up(environment, folder / "make.log"):
            await _first_accepted(built)
            seconds = perf_counter() - began
        (folder / "mongo").mkdir()
        began = perf_counter()
        mongo = start_mongo(folder / "mongo")
        with plain_handler(mongo.url, folder):
            beside = perf_counter() - began
        mongo.stop()
    yield at_most(
        "P8",
        "from `make up` to the first accepted submission",
        seconds,
        5,
        "s",
        baseline=beside,
        baseline_is="a database and the plain handler",
    )


@contextmanager
def _make_up(environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "up", f"PYTHON={sys.executable}"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


async def _first_accepted(built: Stack) -> None:
    line = Line(built.url, patience=1.0)
    async with asyncio.timeout(UP_SECONDS):
        while True:
            with suppress(Exception):
                author = await Volunteer.register(line, name="Bench", country="AZ", languages=["en"])
                await author.submit(ITEM)
                break
            await asyncio.sleep(LOOK_SECONDS)
    await line.close()
