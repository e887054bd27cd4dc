"""The media safety pass as the service sees it: a file in, a clean file or a refusal out.

The pass runs in a process that holds the one file and the one copy, and reaches nothing else: no other file, no key, no
network, no other process (`safety_confinement`). `LocalSandbox` starts it here; `Station` hands both files to a container
that has neither network nor keys. What either says is not believed: the copy is read here once more.
"""

import asyncio
import base64
import hashlib
import json
import os
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.ingest.media_safety import telemetry
from services.ingest.media_safety.metadata_check import leaks
from services.ingest.media_safety.model import (
    Cleaned,
    CleanType,
    Code,
    MediaLimits,
    MediaRefusal,
    MediaRefused,
    Verdict,
)
from services.ingest.media_safety.worker import NOT_CONFINED, TRY_LATER
from shared.failures import Unavailable

ROOT: Final = Path(__file__).resolve().parents[3]
OVERRUN: Final = frozenset({-signal.SIGXCPU, -signal.SIGXFSZ, -signal.SIGKILL})
"""How a worker ends that was stopped for using too much."""
MOST_GROWTH: Final = 64 * 1024 * 1024
"""How much larger than its source a copy may become."""
UNCLEAN: Final = "Not everything hidden in the file could be taken out of it. Export it anew."
ONE_DOT: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
WAIVED: Final = "waived-decoders-can-read-everything"
"""What an operator must write out to have decoders run where they cannot be isolated."""
NO_ISOLATION: Final = (
    "this machine cannot keep the photo and video decoders from everything else: its kernel offers no call filter"
    " (seccomp), or neither Landlock nor namespaces. Run the screening station in a container on a kernel that does"
    f" (KONULLU_INGEST_SCREENING_SOCKET), or accept the risk with KONULLU_INGEST_DECODER_ISOLATION={WAIVED}"
)
MOST_SAID: Final = 16 * 1024
"""A worker that says more than this says nothing that we want to hear."""
START: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from importlib import import_module; "
    "sys.exit(import_module(sys.argv.pop(1)).main(sys.argv[1:]))"
)
"""An interpreter that knows no environment and no user's folders finds our code by this."""


class WorkerFailed(Exception):
    """The worker ended without a verdict though the disk is well: a mistake of ours, or a crashed decoder."""


class NotIsolated(Exception):
    """No decoder runs here, since this machine would not keep it from everything else. The text says why."""


@dataclass(frozen=True, slots=True)
class ScreeningAnswer:
    """How a worker ended, and what it said until then."""

    status: int
    answer: bytes
    complaint: bytes

    def packed(self) -> bytes:
        """As the station sends it."""
        return json.dumps(
            [self.status, self.answer.decode("latin-1"), self.complaint.decode("latin-1")]
        ).encode()

    @classmethod
    def unpack(cls, data: bytes) -> "ScreeningAnswer":
        """As the station sent it. Raises `WorkerFailed` for anything else."""
        try:
            status, answer, complaint = json.loads(data)
            return cls(int(status), answer.encode("latin-1"), complaint.encode("latin-1"))
        except (ValueError, TypeError, AttributeError) as error:
            raise WorkerFailed("the screening station says what cannot be read") from error


class Sandbox(Protocol):
    """Where decoders run."""

    async def run(self, source: BinaryIO, target: BinaryIO, limits: MediaLimits) -> ScreeningAnswer:
        """Have the clean copy of `source` written to `target`, both of them files that are open.

        Raises `NotIsolated` where decoders may not run, and `Unavailable` where they cannot now.
        """


async def make_safe(sandbox: Sandbox, source: Path, target: Path, limits: MediaLimits) -> Verdict:
    """Make the clean copy of `source` at `target`, which only a `Cleaned` verdict leaves behind.

    Raises `Unavailable` when the disk is full, `NotIsolated` where no decoder may run, `WorkerFailed` when the worker
    ended without a verdict.
    """
    with ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        with source.open("rb", 0) as given, target.open("w+b", 0) as made:
            said = await sandbox.run(given, made, limits)
        verdict = await asyncio.to_thread(_verdict, said, target, limits)
        if isinstance(verdict, Cleaned):
            undo.pop_all()
    return verdict


class LocalSandbox:
    """Decoders in processes of this machine, each shut in by itself."""

    def __init__(self, *, waived: bool = False, program: str = "services.ingest.media_safety.worker") -> None:
        self._isolation, self._program = "waived" if waived else "required", program

    async def run(self, source: BinaryIO, target: BinaryIO, limits: MediaLimits) -> ScreeningAnswer:
        """See `Sandbox`. The worker is given nothing but the two files, and ends when we do."""
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-B", "-X", "utf8", "-c", START, str(ROOT), self._program),
            *(str(os.getpid()), str(target.fileno()), json.dumps(asdict(limits)), self._isolation),
            stdin=source,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(target.fileno(),),
            env={},
            cwd="/",
        )
        try:
            async with asyncio.timeout(limits.wall_seconds):
                answer, complaint, status = await asyncio.gather(
                    _last_of(worker.stdout), _last_of(worker.stderr), worker.wait()
                )
        except TimeoutError:
            return ScreeningAnswer(-signal.SIGKILL, b"", b"it took too long")
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        return ScreeningAnswer(status, answer, complaint)


async def _last_of(stream: asyncio.StreamReader | None) -> bytes:
    """The end of what a worker says: it may say as much as it likes, we keep as much as we like."""
    kept = b""
    while stream is not None and (data := await stream.read(4096)):
        kept = (kept + data)[-MOST_SAID:]
    return kept


class Station:
    """Decoders in a container of their own, which is handed the two open files and has nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def run(self, source: BinaryIO, target: BinaryIO, limits: MediaLimits) -> ScreeningAnswer:
        """See `Sandbox`. Hanging up ends the worker there."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.setblocking(False)
            try:
                connection.connect(str(self._path))
                order = json.dumps(asdict(limits)).encode()
                socket.send_fds(connection, [order], [source.fileno(), target.fileno()])
                async with asyncio.timeout(2 * limits.wall_seconds):
                    answer = await loop.sock_recv(connection, 4 * MOST_SAID)
            except (OSError, TimeoutError) as error:
                raise Unavailable("the screening station") from error
        if not answer:
            raise Unavailable("the screening station: it hung up")
        return ScreeningAnswer.unpack(answer)


class MadeAnswer(BaseModel):
    """What the worker says of the copy that it made."""

    model_config = ConfigDict(strict=True)

    type: CleanType
    width: Annotated[int, Field(gt=0, le=1 << 16)]
    height: Annotated[int, Field(gt=0, le=1 << 16)]
    duration: Annotated[float, Field(gt=0, lt=1e7)] | None


class RefusedAnswer(BaseModel):
    """A refusal needs no proof, but its words are shown to people."""

    model_config = ConfigDict(strict=True)

    code: Code
    detail: Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\p{C}]+$")]


class WorkerAnswer(BaseModel):
    """All that a worker can say. Anything else is not listened to."""

    made: MadeAnswer | None = None
    refused: RefusedAnswer | None = None
    walls: tuple[str, ...] = ()
    peak_bytes: int | None = None


async def walls_of(sandbox: Sandbox) -> tuple[str, ...]:
    """The walls that stand around a decoder there, tried with a picture of one dot. Raises `NotIsolated`."""
    with tempfile.TemporaryFile("w+b", 0) as source, tempfile.TemporaryFile("w+b", 0) as target:
        source.write(ONE_DOT)
        said = await sandbox.run(source, target, MediaLimits())
    return _answer(said).walls


def _verdict(said: ScreeningAnswer, target: Path, limits: MediaLimits) -> Verdict:
    if said.status in OVERRUN:
        return _refusal(MediaRefused("media_bomb"))
    answer = _answer(said)
    if answer.refused is not None:
        return MediaRefusal(answer.refused.code, answer.refused.detail)
    if answer.made is None:
        raise WorkerFailed("it neither made nor refused anything")
    return _looked_at(answer.made, target, limits)


def _answer(said: ScreeningAnswer) -> WorkerAnswer:
    """What the worker says. Raises as `make_safe` does."""
    complaint = said.complaint[-2000:].decode(errors="replace").strip()
    if said.status == NOT_CONFINED:
        raise NotIsolated(complaint)
    if said.status == TRY_LATER:
        raise Unavailable("disk")
    if said.status != 0:
        raise WorkerFailed(f"exit status {said.status}: {complaint}")
    try:
        return WorkerAnswer.model_validate_json(said.answer)
    except ValidationError as error:
        raise WorkerFailed("it says what cannot be taken for an answer") from error


def _looked_at(told: MadeAnswer, target: Path, limits: MediaLimits) -> Verdict:
    """The verdict on a copy that is said to be clean, by our own eyes. Raises `WorkerFailed` when it is not as told."""
    size = target.stat().st_size
    if size > max(limits.video_bytes, limits.photo_bytes) + MOST_GROWTH:
        raise WorkerFailed("the copy is larger than any")
    if (told.duration is None) != told.type.startswith("image/"):
        raise WorkerFailed("it describes no copy that we could have asked for")
    with target.open("rb") as file:
        found = leaks(file, told.type, size)
        if found:
            telemetry.copy_not_clean(found)
            return _refusal(MediaRefused("media_undecodable", UNCLEAN))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Cleaned(told.type, digest, size, told.width, told.height, told.duration)


def _refusal(refused: MediaRefused) -> MediaRefusal:
    return MediaRefusal(refused.code, refused.detail)
