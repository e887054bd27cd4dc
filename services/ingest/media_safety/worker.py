"""The safety pass itself: `python -m services.ingest.media_safety.worker <source> <target> <limits as JSON>`.

Limits are set and the network is left before a decoder is imported. The verdict is one JSON line on standard
output. Exit status: 0 with a verdict, 75 when the disk is full or away, 1 on a mistake of ours.
"""

import ctypes
import errno
import hashlib
import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from services.ingest.media_safety.formats import kind_of, require_whole
from services.ingest.media_safety.metadata_check import leaks
from services.ingest.media_safety.model import Cleaned, CleanType, Limits, Refused

TRY_LATER: Final = os.EX_TEMPFAIL
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38


def confine(limits: Limits) -> bool:
    """Bound this process for good and leave the network. Whether it could be left: some kernels forbid it."""
    for what, bound in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.video_bytes + 64 * 1024 * 1024),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(what)
        allowed = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(what, (allowed, allowed))
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    left = libc.unshare(CLONE_NEWNET) == 0 or libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(left)


def examine(source: Path, target: Path, limits: Limits) -> Cleaned:
    """Make the clean copy of `source` at `target`, checked for what it must not hold. Raises `Refused`."""
    size = source.stat().st_size
    with source.open("rb") as file:
        kind = kind_of(file.read(4096))
        require_whole(file, kind, size)
    if size > (limits.video_bytes if kind == "video" else limits.photo_bytes):
        raise Refused("media_too_large")
    duration: float | None = None
    made: CleanType = "video/mp4"
    if kind == "video":
        from services.ingest.media_safety.video import clean_video  # noqa: PLC0415 - decoders come after the limits

        width, height, duration = clean_video(source, target, limits)
    else:
        from services.ingest.media_safety.photo import clean_photo  # noqa: PLC0415 - as above

        made, width, height = clean_photo(source, target, kind, limits)
    size = target.stat().st_size
    with target.open("rb") as file:
        found = leaks(file, made, size)
        if found:
            sys.stderr.write(f"left in the clean file: {', '.join(found)}\n")
            raise Refused(
                "media_undecodable",
                "Not everything hidden in the file could be taken out of it. Export it anew.",
            )
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Cleaned(made, digest, size, width, height, duration)


def main(arguments: list[str]) -> int:
    """Run one pass; the exit status."""
    source, target, limits = Path(arguments[0]), Path(arguments[1]), Limits(**json.loads(arguments[2]))
    isolated = confine(limits)
    try:
        answer = {"cleaned": asdict(examine(source, target, limits))}
    except Refused as refused:
        answer = {"refused": {"code": refused.code, "detail": refused.detail}}
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            return TRY_LATER
        raise
    sys.stdout.write(json.dumps({**answer, "isolated": isolated}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
