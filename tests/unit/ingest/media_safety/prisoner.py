"""A decoder that was taken over: it stands where a decoder stands and tries to reach what it must not.

Each attempt is a way to something named in its argument, by Python and again by the bare calls of the kernel. What it got
hold of goes back as the detail of a refusal.
"""

import ctypes
import errno
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO
from unittest.mock import patch

from services.ingest.media_safety import worker as safety_worker
from services.ingest.media_safety.formats import Kind
from services.ingest.media_safety.model import Clean, Made, MediaLimits, MediaRefused

LIBC = ctypes.CDLL(None, use_errno=True)
CALLS = {
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "creat": (85, None),
    "stat": (4, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "readlinkat": (267, 78),
    "getdents": (217, 61),
    "linkat": (265, 37),
    "symlinkat": (266, 36),
    "renameat2": (316, 276),
    "unlinkat": (263, 35),
    "mkdirat": (258, 34),
    "chdir": (80, 49),
    "mount": (165, 40),
    "open_tree": (428, 428),
    "unshare": (272, 97),
    "setns": (308, 268),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "io_uring_setup": (425, 425),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "clone3": (435, 435),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "setuid": (105, 146),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "shmget": (29, 194),
    "mq_open": (240, 180),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "getcwd": (79, 17),
    "uname": (63, 160),
}


def attempts(things: dict[str, str]) -> dict[str, Callable[[], object]]:  # noqa: C901 - a list of them
    """Name → a way out. Whatever does not raise has succeeded."""
    parent = os.getppid()

    def connect(family: int, kind: int, address: object) -> None:
        with socket.socket(family, kind) as caller:
            caller.settimeout(2)
            caller.connect(address)  # type: ignore[arg-type]  # an address of either family
            caller.send(b"hello")

    def memory_of_parent() -> bytes:
        where = int(things["memory_at"])
        with open(f"/proc/{parent}/mem", "rb", 0) as memory:  # noqa: PTH123 - seeks to an address
            memory.seek(where)
            found = memory.read(16)
        if not found:
            raise OSError("nothing")
        return found

    def vm_readv() -> None:
        buffer = ctypes.create_string_buffer(16)
        vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 16)
        remote = (ctypes.c_void_p * 2)(int(things["memory_at"]), 16)
        number = CALLS["process_vm_readv"][platform.machine() != "x86_64"]
        done = LIBC.syscall(number, parent, vector, 1, remote, 1, 0)
        if done <= 0:
            raise OSError(ctypes.get_errno(), "process_vm_readv")

    def shared_memory() -> None:
        LIBC.mmap.restype = ctypes.c_void_p
        if LIBC.mmap(None, 4096, 3, 0x21, -1, 0) == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")

    def executable_memory() -> None:
        LIBC.mmap.restype = ctypes.c_void_p
        if LIBC.mmap(None, 4096, 7, 0x22, -1, 0) == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")

    def more_memory() -> bytes:
        return bytes(600 * 1024 * 1024)

    def open_more() -> None:
        os.dup(0)

    return {
        "signing key": lambda: Path(things["key"]).read_bytes(),
        "quarantine": lambda: [*Path(things["quarantine"]).iterdir()],
        "site": lambda: Path(things["site"], "written").write_text("x"),
        "own source": lambda: os.pwrite(0, b"x", 0),
        "environment of the parent": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "memory of the parent": memory_of_parent,
        "memory of the parent by call": vm_readv,
        "files of the parent": lambda: [*Path(f"/proc/{parent}/fd").iterdir()],
        "own environment": lambda: dict(os.environ)["KONULLU_SECRET"],
        "supervisor": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, things["supervisor"]),
        "abstract socket": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, things["abstract"]),
        "network": lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(things["port"]))),
        "network by datagram": lambda: connect(
            socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", int(things["port"]))
        ),
        "a program": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        "a shell": lambda: subprocess.run("true", shell=True, check=True),
        "a process": fork,
        "a signal to the parent": lambda: os.kill(parent, 0),
        "listing of the machine": lambda: [*Path("/etc").iterdir()],
        "size of a known file": lambda: Path(things["key"]).stat().st_size,
        "temporary file": lambda: Path("/tmp/left-behind").write_text("x"),
        "shared memory": shared_memory,
        "executable memory": executable_memory,
        "memory beyond the bound": more_memory,
        "another descriptor": open_more,
    }


def fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def calls_reached() -> list[str]:
    """The kernel's calls by their numbers, on nonsense. Before a wall they fail as forbidden or as unknown."""
    found = []
    for name, numbers in CALLS.items():
        number = numbers[platform.machine() != "x86_64"]
        ctypes.set_errno(0)
        if number is None:
            continue
        if LIBC.syscall(number, -1, 0, 0, 0, 0, 0) >= 0 or ctypes.get_errno() not in {
            errno.EPERM,
            errno.ENOSYS,
        }:
            found.append(name)
    return found


def reached(things: dict[str, str]) -> list[str]:
    found = []
    for name, attempt in attempts(things).items():
        try:
            attempt()
        except (OSError, KeyError, MemoryError, subprocess.SubprocessError):
            continue
        found.append(name)
    return found


def look_around(source: BinaryIO, target: BinaryIO, limits: MediaLimits, kind: Kind, clean: Clean) -> Made:
    source.seek(0)
    things = json.loads(source.read()[len(MAGIC) :])
    target.write(
        json.dumps(
            {"reached": reached(things), "calls": [] if things.get("free") else calls_reached()}
        ).encode()
    )
    raise MediaRefused("media_undecodable")


MAGIC = b"\xff\xd8\xff"
"""What a photo begins with; behind it comes what the prisoner is to look for."""


def main(arguments: list[str]) -> int:
    with ExitStack() as patches:
        patches.enter_context(patch.object(safety_worker, "examine", look_around))
        if b'"free"' in os.pread(0, 4096, 0):
            # To see that the attempts are real.
            patches.enter_context(patch.object(safety_worker, "confine", lambda *_: ()))
        return safety_worker.main(arguments)
