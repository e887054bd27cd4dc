"""The media safety pass as the service sees it: a file in, a clean file or a refusal out.

The pass runs in a process with bounded memory, time and file size and without a network, so that a file that
breaks a decoder breaks nothing else. Whatever that process does, it ends: it is killed on overrun.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from services.ingest.media_safety.model import Cleaned, Limits, Refusal, Refused, Verdict
from services.ingest.media_safety.worker import TRY_LATER
from shared.failures import Unavailable

ROOT: Final = Path(__file__).resolve().parents[3]
OVERRUN: Final = frozenset({-signal.SIGXCPU, -signal.SIGXFSZ, -signal.SIGKILL})
"""How a worker ends that was stopped for using too much."""


class WorkerFailed(Exception):
    """The worker ended without a verdict though the disk is well: a mistake of ours, or a crashed decoder."""


async def make_safe(source: Path, target: Path, limits: Limits) -> Verdict:
    """Make the clean copy of `source` at `target`, which only a `Cleaned` verdict leaves behind.

    Raises `Unavailable` when the disk is full, `WorkerFailed` when the worker ended without a verdict.
    """
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ingest.media_safety.worker",
        str(source),
        str(target),
        json.dumps(asdict(limits)),
        cwd=target.parent,
        env=_bare_environment(target.parent),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(limits.wall_seconds):
            said, complaint = await worker.communicate()
    except TimeoutError:
        return _refused(target)
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    return _verdict(worker.returncode or 0, said, complaint, target)


def _bare_environment(folder: Path) -> dict[str, str]:
    """No secret of the service reaches the worker."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _verdict(status: int, said: bytes, complaint: bytes, target: Path) -> Verdict:
    if status in OVERRUN:
        return _refused(target)
    if status != 0:
        target.unlink(missing_ok=True)
        if status == TRY_LATER:
            raise Unavailable("disk")
        raise WorkerFailed(f"exit status {status}: {complaint[-2000:].decode(errors='replace')}")
    answer: dict[str, Any] = json.loads(said)
    if "cleaned" in answer:
        return Cleaned(**answer["cleaned"])
    target.unlink(missing_ok=True)
    return Refusal(**answer["refused"])


def _refused(target: Path) -> Refusal:
    target.unlink(missing_ok=True)
    overrun = Refused("media_bomb")
    return Refusal(overrun.code, overrun.detail)
