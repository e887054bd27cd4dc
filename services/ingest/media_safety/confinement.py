"""Shutting a process in for good: from then on it reaches what it holds open, and nothing else.

Two walls at least stand around a decoder. The kernel's call filter (seccomp) leaves it no call that names a file, makes
a socket, starts a program or looks into another process. Landlock, and an empty root and network of its own, say the
same once more wherever the kernel offers them. A process that runs as root becomes a user that owns nothing.

Call `confine` from a process with one thread: filters and users belong to threads, and a second one would stay outside.
"""

# ruff: noqa: PLR2004 - the numbers are the kernel's

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Wall = Literal["call_filter", "landlock", "own_root", "own_network", "own_user"]
"""What can stand between a decoder and the rest of the machine."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_GET_SECCOMP, PR_SET_SECCOMP = 1, 4, 21, 22
PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_MODE_FILTER: Final = 2
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWNET, CLONE_THREAD = 0x10000000, 0x40000000, 0x00010000
MS_NOSUID_NODEV_NOEXEC, MS_REMOUNT_RDONLY, MS_REC_PRIVATE = 14, 33, 0x4000 | 0x40000
MNT_DETACH: Final = 2
PIVOT_ROOT: Final = (155, 41)
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
NOBODY: Final = 0x70000000
"""Each confined process is the user of this number plus its process id: one that owns no file and no other process."""

_FILE_RIGHTS: Final = ((1, 13), (2, 14), (3, 15), (5, 16))
"""From which Landlock version on, how many rights over files can be taken away."""

_X86_64: Final = (0xC000003E, 56, 435, 9, 10, 16)
_AARCH64: Final = (0xC00000B7, 220, 435, 222, 226, 29)
_CALLS: Final[Mapping[str, tuple[int | None, int | None]]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "ftruncate": (77, 46),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "time": (201, None),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "set_tid_address": (218, 96),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "set_robust_list": (273, 99),
    "getrandom": (318, 278),
    "rseq": (334, 293),
}
"""The calls that are left, by their numbers on x86-64 and on 64-bit ARM. None of them takes a path or another process."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a confined process may use."""

    resident_bytes: int
    address_bytes: int
    cpu_seconds: int
    file_bytes: int


class NotConfined(Exception):
    """This machine cannot shut a process in as it must be. The text says what is missing."""


def enough(walls: Sequence[Wall]) -> bool:
    """Whether these walls keep a stranger's file from everything else: the filter, and one that stands by itself."""
    return "call_filter" in walls and ("landlock" in walls or "own_root" in walls)


def confine(bounds: Bounds, parent: int) -> tuple[Wall, ...]:
    """Shut this process in; the walls that now stand. It dies with `parent`.

    Raises `NotConfined` when a second thread runs, and `OSError` when a bound cannot be set.
    """
    _bound(bounds)
    if not sys.platform.startswith("linux"):
        return ()
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208 - a count, no paths
        raise NotConfined("a second thread runs, which no wall would hold")
    walls: list[Wall] = _namespaces()
    if os.geteuid() == 0 and _become_nobody():
        walls.append("own_user")
    _give_up_capabilities()
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which would undo it
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    if _landlock():
        walls.append("landlock")
    if _filter_calls():
        walls.append("call_filter")
    return tuple(walls)


def _bound(bounds: Bounds) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    for what, most in (
        (resource.RLIMIT_DATA, bounds.resident_bytes),
        (resource.RLIMIT_AS, bounds.address_bytes),
        (resource.RLIMIT_CPU, bounds.cpu_seconds),
        (resource.RLIMIT_FSIZE, bounds.file_bytes),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, *values: int) -> int:
    given = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return int(_LIBC.prctl(ctypes.c_int(option), *given))


def _namespaces() -> list[Wall]:
    """Leave the network and the file system for empty ones, as far as this machine allows."""
    wanted = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    user, group = os.geteuid(), os.getegid()
    if _LIBC.unshare(wanted) != 0:
        if _LIBC.unshare(wanted | CLONE_NEWUSER) != 0:
            return []
        # The same user and group inside as outside. By bare calls: an encoding might have to be loaded now.
        lines = {
            "setgroups": b"deny",
            "uid_map": b"%d %d 1" % (user, user),
            "gid_map": b"%d %d 1" % (group, group),
        }
        if not all(_written(f"/proc/self/{name}", line) for name, line in lines.items()):
            return ["own_network"]
    return ["own_network", "own_root"] if _empty_root() else ["own_network"]


def _written(path: str, line: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        return os.write(descriptor, line) == len(line)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _empty_root() -> bool:
    """Stand on an empty file system of a page, which nobody can write to, with the old one out of sight."""
    old_root, here, kind = b"/", b"/tmp", b"tmpfs"
    return bool(
        _LIBC.mount(None, old_root, None, MS_REC_PRIVATE, None) == 0
        and _LIBC.mount(kind, here, kind, MS_NOSUID_NODEV_NOEXEC, b"size=4k,mode=555") == 0
        and _LIBC.chdir(here) == 0
        and _LIBC.syscall(PIVOT_ROOT[_machine() or 0], b".", b".") == 0
        and _LIBC.umount2(b".", MNT_DETACH) == 0
        and _LIBC.chdir(b"/") == 0
        and _LIBC.mount(None, b"/", None, MS_REMOUNT_RDONLY | MS_NOSUID_NODEV_NOEXEC, None) == 0
    )


def _machine() -> Literal[0, 1] | None:
    """Which column of the tables below is this machine's."""
    if sys.maxsize < 1 << 32:
        return None
    machines: Mapping[str, Literal[0, 1]] = {"x86_64": 0, "aarch64": 1}
    return machines.get(platform.machine())


def _become_nobody() -> bool:
    """A user and a group of this process alone; where a container maps no such number, the usual nobody."""
    for number in (NOBODY + os.getpid(), 65534):
        try:
            os.setgroups([])
            os.setresgid(number, number, number)
            os.setresuid(number, number, number)
        except OSError:
            continue
        return True
    return False


def _give_up_capabilities() -> None:
    """A namespace of its own makes a process almighty in it; that ends here."""
    header = struct.pack("=Ii", 0x20080522, 0)
    _LIBC.capset(header, bytes(24))


def _landlock() -> bool:
    """Take away every right over files, sockets and signals that this kernel knows, and grant none."""
    version = _landlock_version()
    if version < 1:
        return False
    files = (1 << max(count for since, count in _FILE_RIGHTS if version >= since)) - 1
    fields = [files] + ([3] if version >= 4 else []) + ([3] if version >= 6 else [])
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _LIBC.syscall(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        return bool(_LIBC.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def can_confine() -> bool:
    """Whether the walls that suffice can stand here, as far as it can be told without putting them up."""
    if not sys.platform.startswith("linux") or _machine() is None:
        return False
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER)  # without a filter: it fails, and how it fails tells
    return ctypes.get_errno() == errno.EFAULT and (_landlock_version() >= 1 or _may_unshare())


def _landlock_version() -> int:
    """0 or less where there is none."""
    return int(_LIBC.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1))


def _may_unshare() -> bool:
    """Whether a process may have namespaces of its own, by what the kernel is set to; a trial needs a process."""
    try:
        return int(Path("/proc/sys/user/max_user_namespaces").read_text(encoding="ascii")) > 0
    except (OSError, ValueError):
        return False


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _filter_calls() -> bool:
    """Leave only the calls of `_CALLS`, threads, and memory that is neither shared nor executable."""
    index = _machine()
    if index is None:
        return False
    code = b"".join(_instructions((_X86_64, _AARCH64)[index], [call[index] for call in _CALLS.values()]))
    program = _Program(len(code) // 8, code)
    return int(_LIBC.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(program))) == 0


_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_CALL, _MACHINE = 0, 4


def _argument(number: int) -> int:
    """Where the lower half of a call's argument lies."""
    return 16 + 8 * number


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _instructions(
    machine: tuple[int, int, int, int, int, int], allowed: Sequence[int | None]
) -> Iterator[bytes]:
    """The filter in the kernel's own little language: a call of another machine kills, any other unknown one fails."""
    name, clone, clone3, mmap, mprotect, ioctl = machine
    yield _step(_LOAD, _MACHINE)
    yield _step(_EQUAL, name, if_true=1)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _CALL)
    yield _step(_AT_LEAST, 0x40000000, if_false=1)
    yield _step(_RETURN, _KILL)
    for call in allowed:
        if call is not None:
            yield _step(_EQUAL, call, if_false=1)
            yield _step(_RETURN, _ALLOW)
    yield from _unless(ioctl, [_step(_RETURN, _FAIL | errno.ENOTTY)])
    yield from _unless(clone3, [_step(_RETURN, _FAIL | errno.ENOSYS)])
    no = _step(_RETURN, _FAIL | errno.EPERM)
    yes = _step(_RETURN, _ALLOW)
    yield from _unless(
        clone, [_step(_LOAD, _argument(0)), _step(_ANY_BIT, CLONE_THREAD, if_false=1), yes, no]
    )
    executable = [_step(_LOAD, _argument(2)), _step(_ANY_BIT, 4, if_false=1), no]
    shared = [_step(_LOAD, _argument(3)), _step(_ANY_BIT, 1, if_false=1), no]
    yield from _unless(mprotect, [*executable, yes])
    yield from _unless(mmap, [*executable, *shared, yes])
    yield no


def _unless(call: int, block: Sequence[bytes]) -> Iterator[bytes]:
    """The block for this call alone; it must return."""
    yield _step(_EQUAL, call, if_false=len(block))
    yield from block
