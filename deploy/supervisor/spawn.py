"""Starting a process that cannot outlive us, and recognising it again by its start time."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.supervisor.layout import ROOT

_PR_SET_PDEATHSIG = 1
_ROTATE_AT = 20 << 20
_STARTED_FIELD = 19
"""Index of the start time in /proc/<pid>/stat, counted after the command's closing parenthesis."""


def start(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, its output appended to `log`. Raises `OSError` when it can't."""
    _rotate(log)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(argv),
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_tether(),  # noqa: PLW1509 - the supervisor runs no threads
        )


def kill_group(pid: int, number: signal.Signals) -> None:
    """Signal a process and whatever it started; nothing happens when none is left."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def started_at(pid: int) -> str | None:
    """The start time of a live process in its system's notation: an id alone may be a stranger's."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return _asked_of_ps(pid) if not Path("/proc/self/stat").exists() else None
    return None if fields[0] == "Z" else fields[_STARTED_FIELD]


def _asked_of_ps(pid: int) -> str | None:
    asked = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], check=False, capture_output=True, text=True
    )
    return asked.stdout.strip() or None


def _tether() -> Callable[[], None] | None:
    """On Linux the kernel kills the child when we die, however we die; elsewhere the next start cleans up."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def _rotate(log: Path) -> None:
    if log.is_file() and log.stat().st_size > _ROTATE_AT:
        log.replace(log.with_suffix(".log.1"))
