"""What the media safety pass promises: its limits, its refusals and its result.

Pure and light on purpose: the sandboxed worker imports this file before it opens a stranger's bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal, TypeAlias

Code = Literal["media_truncated", "media_type", "media_too_large", "media_bomb", "media_undecodable"]
CleanType = Literal["image/jpeg", "image/png", "video/mp4"]

ACCEPTED_TYPES: Final = (
    "image/jpeg",
    "image/jpg",
    "image/png",
    "image/webp",
    "image/heic",
    "image/heif",
    "image/heic-sequence",
    "image/heif-sequence",
    "video/mp4",
    "video/quicktime",
    "video/x-m4v",
)
"""What the page offers to choose and the server begins to take. What a file is, its content tells in the end."""
UNTOLD_TYPES: Final = ("", "application/octet-stream")
"""What is said of a file whose type the sender does not know."""

PHOTO_ADVICE = "Send a JPEG, PNG, WebP or HEIF photo, or an MP4 or MOV video."

ADVICE: Mapping[Code, str] = {
    "media_truncated": "The file is cut off before its end. Copy it from the device again and send it whole.",
    "media_type": f"The content is of a kind that we do not take. {PHOTO_ADVICE}",
    "media_too_large": "The file is larger than we take. Send a smaller version of it.",
    "media_bomb": "Opening the file takes far too much memory or time. Send a smaller version of it.",
    "media_undecodable": "The file is damaged and cannot be opened. Save it anew on the device and send it.",
}
"""Each code's sentence on how to mend it, used where nothing more exact is known."""


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What one pass may use. A file that needs more is refused."""

    photo_bytes: int = 50 * 1024 * 1024
    video_bytes: int = 2 * 1024 * 1024 * 1024
    jpeg_pixels: int = 120_000_000
    progressive_pixels: int = 50_000_000
    png_pixels: int = 40_000_000
    webp_pixels: int = 20_000_000
    heif_pixels: int = 50_000_000
    """As many as each decoder can take in half a gigabyte. A plain JPEG is decoded at half its size."""
    long_edge: int = 4096
    """Pixels of the longer side of a clean photo; larger ones are scaled down."""
    video_side: int = 8192
    resident_bytes: int = 512 * 1024 * 1024
    """Memory that the pass may hold at any time, its own code apart."""
    address_bytes: int = 1280 * 1024 * 1024
    """Addresses that it may reserve, its libraries included."""
    cpu_seconds: int = 120
    wall_seconds: float = 180.0


class MediaRefused(Exception):
    """The material cannot be taken: a stable code and a sentence that says how to mend it."""

    def __init__(self, code: Code, detail: str | None = None) -> None:
        self.code: Code = code
        self.detail = detail or ADVICE[code]
        super().__init__(f"{code}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Made:
    """A clean copy as its maker describes it. Whoever receives it looks for himself."""

    type: CleanType
    width: int
    """Pixels as shown, after orientation was applied."""
    height: int
    duration: float | None = None
    """Seconds, for a video."""


Clean: TypeAlias = Callable[[BinaryIO, BinaryIO, MediaLimits], Made]
"""Reads a stranger's file and writes the clean copy of it. Raises `MediaRefused`."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A file that passed: nothing is left in it but what is to be seen and heard."""

    type: CleanType
    sha256: str
    bytes: int
    width: int
    """Pixels as shown, after orientation was applied."""
    height: int
    duration: float | None = None
    """Seconds, for a video."""


@dataclass(frozen=True, slots=True)
class MediaRefusal:
    """A refusal as it is kept and shown."""

    code: Code
    detail: str


Verdict: TypeAlias = Cleaned | MediaRefusal
