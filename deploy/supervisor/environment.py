"""Makes `.venv` from the hash-locked lists and leaves `konullu` in it. Standard library only: it runs first.

    python3 deploy/supervisor/environment.py runtime|dev

A list is installed again only when its content or the Python version differs from the stamp that the last
complete installation left. Two calls at once wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LISTS = {"runtime": "requirements.txt", "dev": "requirements-dev.txt"}
OLDEST = (3, 11)


def main(kind: str) -> int:
    if sys.version_info < OLDEST:
        print(
            f"Python 3.11 or newer is needed; this is {_this_version()}. Name one: make PYTHON=python3.12 …"
        )
        return 1
    if sys.platform == "win32":
        print("Windows is not supported; use its Linux subsystem.")
        return 1
    lock = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        _make_environment()
        _install(kind)
        _leave_command()
    except subprocess.CalledProcessError as failed:
        print(f"environment: {shlex.join(map(str, failed.cmd))} ended with {failed.returncode}; see above.")
        return 1
    finally:
        os.close(lock)
    return 0


def _make_environment() -> None:
    if _python_version() == _this_version():
        return
    _say(f"creating .venv with Python {_this_version()}")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False)
    if made.returncode:
        print("environment: Python's venv module failed. On Debian and Ubuntu: apt-get install python3-venv")
        raise subprocess.CalledProcessError(made.returncode, made.args)


def _install(kind: str) -> None:
    listed = ROOT / LISTS[kind]
    wanted = f"{_this_version()} {hashlib.sha256(listed.read_bytes()).hexdigest()}"
    stamp = VENV / f".installed-{kind}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    packages = sum(1 for line in listed.read_text().splitlines() if "==" in line)
    _say(f"installing {packages} pinned packages from {listed.name}; the first time this takes a minute")
    started = time.monotonic()
    options = ["--require-hashes", "--disable-pip-version-check", "--no-input", "-qq"]
    _run_showing([str(VENV / "bin/python"), "-m", "pip", "install", *options, "-r", str(listed)])
    stamp.write_text(wanted)
    _say(f"installed in {time.monotonic() - started:.0f} s")


def _run_showing(command: list[str]) -> None:
    """Run a silent program, and say now and then that it still works."""
    started = time.monotonic()
    with subprocess.Popen(command) as running:
        while running.poll() is None:
            try:
                running.wait(timeout=10)
            except subprocess.TimeoutExpired:
                _say(f"still installing, {time.monotonic() - started:.0f} s …")
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)


def _leave_command() -> None:
    """A path file instead of an editable install: no build tools, no download, the same on every Python."""
    library = next((VENV / "lib").glob("python3.*/site-packages"))
    _write(library / "konullu.pth", f"{ROOT}\n")
    command = VENV / "bin/konullu"
    _write(command, f'#!/bin/sh\nexec {shlex.quote(str(VENV / "bin/python"))} -m deploy.cli.main "$@"\n')
    command.chmod(0o755)


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def _python_version() -> str | None:
    """What `.venv` holds, or None when it holds nothing that runs."""
    try:
        asked = [str(VENV / "bin/python"), "-c", "import pip, sys; print(sys.version.split()[0])"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _this_version() -> str:
    return sys.version.split()[0]


def _say(what: str) -> None:
    print(f"environment: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "runtime"))
