"""The safety pass itself, as a process of its own that holds one stranger's file open to read and one to write.

It is started by `safety`, which describes how: the source is its standard input, the target the descriptor that is
named, and its answer one JSON line on standard output. Everything it will need is loaded before the walls go up, since
afterwards it can open nothing. Exit status: 0 with an answer, `TRY_LATER` when the disk is full, `NOT_CONFINED` where this
machine has no walls that suffice, 1 on a mistake of ours.
"""

import errno
import json
import os
import sys
from dataclasses import asdict
from typing import Any, BinaryIO, Final

from services.ingest.media_safety.confinement import Bounds, NotConfined, confine, enough
from services.ingest.media_safety.formats import Kind, kind_of, require_whole
from services.ingest.media_safety.model import ADVICE, Clean, Made, MediaLimits, MediaRefused

TRY_LATER: Final = os.EX_TEMPFAIL
NOT_CONFINED: Final = os.EX_NOPERM
HEAD: Final = 4096
ROOM_BEYOND_FILM: Final = 64 * 1024 * 1024


def decoder(kind: Kind) -> Clean:
    """The decoder for a kind of file, loaded with all it may want later: after the walls are up nothing loads."""
    if kind == "video":
        from services.ingest.media_safety.video import clean_video  # noqa: PLC0415 - only one of the two is needed

        return clean_video
    from services.ingest.media_safety.photo import photo_cleaner  # noqa: PLC0415 - as above

    return photo_cleaner(kind)


def examine(source: BinaryIO, target: BinaryIO, limits: MediaLimits, kind: Kind, clean: Clean) -> Made:
    """Write the clean copy of `source` to `target`. Raises `MediaRefused`."""
    size = source.seek(0, os.SEEK_END)
    if size > (limits.video_bytes if kind == "video" else limits.photo_bytes):
        raise MediaRefused("media_too_large")
    require_whole(source, kind, size)
    source.seek(0)
    return clean(source, target, limits)


def main(arguments: list[str]) -> int:
    """Run one pass: `<parent's process id> <target's descriptor> <limits as JSON> <required|waived>`."""
    parent, descriptor, given, isolation = arguments
    limits = MediaLimits(**json.loads(given))
    bounds = Bounds(
        limits.resident_bytes, limits.address_bytes, limits.cpu_seconds, limits.video_bytes + ROOM_BEYOND_FILM
    )
    answer: dict[str, Any] = {}
    status = _memory_report()
    with os.fdopen(0, "rb", closefd=False) as source, os.fdopen(int(descriptor), "r+b", 0) as target:
        try:
            kind = kind_of(os.pread(0, HEAD, 0))
            clean = decoder(kind)
            walls = confine(bounds, int(parent))
            if isolation == "required" and not enough(walls):
                return _complain(f"only these walls stand here: {', '.join(walls) or 'none'}")
            answer = {"made": asdict(examine(source, target, limits, kind, clean)), "walls": walls}
        except MediaRefused as refused:
            answer = {"refused": {"code": refused.code, "detail": refused.detail}}
        except MemoryError:
            answer = {"refused": {"code": "media_bomb", "detail": ADVICE["media_bomb"]}}
        except NotConfined as failure:
            return _complain(str(failure))
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
                return TRY_LATER
            raise
    answer["peak_bytes"] = _peak(status)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def _complain(reason: str) -> int:
    sys.stderr.write(reason + "\n")
    return NOT_CONFINED


def _memory_report() -> int | None:
    """Where the kernel tells how much memory is used, opened while that is possible."""
    return os.open("/proc/self/status", os.O_RDONLY) if sys.platform.startswith("linux") else None


def _peak(report: int | None) -> int | None:
    """The most memory that was resident at any time, in bytes, where the kernel tells it."""
    if report is None:
        return None
    (line,) = [line for line in os.pread(report, HEAD, 0).splitlines() if line.startswith(b"VmHWM:")]
    return int(line.split()[1]) * 1024
