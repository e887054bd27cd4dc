"""Resumable uploads, as far as they can be decided without a store: limits, states, and tus's header values.

Pure: time and ids arrive as arguments. Raises `Problem` with tus's own status codes.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from services.ingest.media_safety.model import ACCEPTED_TYPES, PHOTO_ADVICE, UNTOLD_TYPES, MediaRefusal
from shared.events import Media
from shared.http.problems import Problem

if TYPE_CHECKING:
    from hashlib import _Hash

State = Literal["receiving", "complete", "screening", "clean", "refused", "gone"]
"""receiving → complete → screening → clean | refused; at any time before a submission keeps it, gone."""

ALGORITHMS: Final = ("sha1", "sha256")
METADATA_BYTES: Final = 4096
NAME_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How much may be uploaded, and how long it is kept for a submission to claim it."""

    video_bytes: int = 2 * 1024 * 1024 * 1024
    photo_bytes: int = 50 * 1024 * 1024
    open_uploads: int = 50
    """Uploads of one person that no submission has claimed yet."""
    open_bytes: int = 6 * 1024 * 1024 * 1024
    """Their announced bytes together."""
    held_bytes: int = 60 * 1024 * 1024 * 1024
    """All that lies here of one person, what submissions keep included."""
    newcomer_uploads: int = 20
    """Open uploads of somebody of whom nothing with a photo or video was approved yet."""
    newcomer_bytes: int = 3 * 1024 * 1024 * 1024
    """All that lies here of such a person."""
    spare_bytes: int = 1024 * 1024 * 1024
    """Room on the disk that uploads leave to everything else: nothing new is begun or taken below it."""
    lifetime: timedelta = timedelta(hours=24)
    """After the last byte arrived; then an unclaimed upload is removed."""
    piece_bytes: int = 2 * 1024 * 1024
    """What is held in memory of one request at most, and the size of a stored piece."""
    idle_seconds: float = 60.0
    """A connection that brings nothing for this long is ended; what arrived is kept."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload as it stands. `offset` of `length` bytes have arrived."""

    id: str
    owner: str
    length: int
    filetype: str
    """The media type that was announced. Nothing else of the `Upload-Metadata` is kept: names of files tell of people."""
    created_at: datetime
    expires_at: datetime | None
    offset: int = 0
    state: State = "receiving"
    media: Media | None = None
    refusal: MediaRefusal | None = None
    kept_by: tuple[str, ...] = ()
    """Submissions that hold it."""


@dataclass(frozen=True, slots=True)
class UploadsHeld:
    """What lies here of one person, by the bytes that were announced: no request can bring more than it said."""

    open_uploads: int
    """Those that no submission uses yet."""
    open_bytes: int
    all_bytes: int
    """With those that submissions keep."""


def require_quota(held: UploadsHeld, length: int, limits: UploadLimits, *, newcomer: bool) -> None:
    """Whether a person may begin one more upload. Raises 429 `upload_quota`."""
    most, room = limits.open_uploads, limits.held_bytes
    if newcomer:
        most, room = min(most, limits.newcomer_uploads), min(room, limits.newcomer_bytes)
    if held.open_uploads >= most or held.open_bytes + length > limits.open_bytes:
        raise Problem(
            429,
            "upload_quota",
            f"You have {held.open_uploads} uploads that no submission uses yet. Send or delete some of them first.",
            headers={"Retry-After": "60"},
        )
    if held.all_bytes + length > room:
        raise Problem(
            429,
            "upload_quota",
            "Your photos and videos take all the room that one person has here. Send smaller ones, or withdraw something.",
            headers={"Retry-After": "3600"},
        )


def parse_metadata(header: str) -> Mapping[str, str]:
    """The pairs of an `Upload-Metadata` header. Raises 400 `upload_metadata`."""
    if len(header) > METADATA_BYTES:
        raise _bad_metadata(f"it is longer than {METADATA_BYTES} bytes")
    pairs: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = entry.partition(" ")
        if key in pairs:
            raise _bad_metadata(f"the key {key!r} is there twice")
        try:
            pairs[key] = base64.b64decode(value.strip(), validate=True).decode()[:NAME_CHARACTERS]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _bad_metadata(f"the value of {key!r} is not Base64 of UTF-8 text") from error
    return pairs


def shown_metadata(filetype: str) -> str:
    """The `Upload-Metadata` header that tells what is kept of the one that was sent; empty for nothing."""
    return f"filetype {base64.b64encode(filetype.encode()).decode()}" if filetype else ""


def _bad_metadata(reason: str) -> Problem:
    text = (
        f"Upload-Metadata cannot be read: {reason}. Send comma-separated `key base64` pairs, or leave it out."
    )
    return Problem(400, "upload_metadata", text)


def told_type(metadata: Mapping[str, str]) -> str:
    """The media type that a client announces, without its parameters; empty when it announces none."""
    return metadata.get("filetype", "").partition(";")[0].strip().lower()


def require_type(metadata: Mapping[str, str]) -> None:
    """Whether a file of the announced type can be taken at all. Raises 415 `media_type`."""
    told = told_type(metadata)
    if told not in ACCEPTED_TYPES and told not in UNTOLD_TYPES:
        raise Problem(415, "media_type", f"Files of the type {told} are not taken. {PHOTO_ADVICE}")


def require_length(header: str | None, metadata: Mapping[str, str], limits: UploadLimits) -> int:
    """The announced length in bytes. Raises 400 `upload_length`, or 413 `media_too_large`."""
    length = whole_number(header)
    if length is None:
        raise Problem(
            400,
            "upload_length",
            "Upload-Length must say how many bytes the file has; a deferred length is not taken.",
        )
    photo = told_type(metadata).startswith("image/")
    most = limits.photo_bytes if photo else limits.video_bytes
    if length > most:
        what = "A photo" if photo else "A file"
        raise Problem(
            413,
            "media_too_large",
            f"{what} may have {most // (1024 * 1024)} MiB, this one has {length / (1024 * 1024):.1f} MiB."
            " Send a smaller version of it.",
            limit=most,
        )
    return length


def whole_number(header: str | None) -> int | None:
    """A header's value where it is a plain whole number that fits a signed 64-bit integer."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 18:  # noqa: PLR2004 - digits that always fit
        return None
    return int(header)


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a request's body must hash to."""

    algorithm: str
    digest: bytes

    def start(self) -> "_Hash":
        """A hash to feed the body to."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def parse_checksum(header: str | None) -> Checksum | None:
    """The `Upload-Checksum` of a request, if it has one. Raises 400 `upload_checksum`."""
    if header is None:
        return None
    algorithm, _, value = header.strip().partition(" ")
    try:
        digest = base64.b64decode(value.strip(), validate=True)
    except binascii.Error:
        digest = b""
    if (
        algorithm not in ALGORITHMS
        or len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size
    ):
        raise Problem(
            400,
            "upload_checksum",
            f"Upload-Checksum must be one of {', '.join(ALGORITHMS)} and the Base64 of its digest.",
        )
    return Checksum(algorithm, digest)


def piece_offset(name: str) -> int:
    """Where a piece begins in its upload; its name is `<offset>-<nonce>`."""
    return int(name.partition("-")[0])
