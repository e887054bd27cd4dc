"""What a file is, told from its content alone, and whether it is all there. No decoder is involved.

The walkers read structure only (JPEG segments, PNG chunks, RIFF and ISO boxes), so that a truncated file, a
file with a second one behind it, and a canvas that is a bomb are refused before any decoder sees them.
"""

# ruff: noqa: PLR2004 - the numbers are the formats'

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from services.ingest.media_safety.model import PHOTO_ADVICE, MediaRefused

Kind = Literal["jpeg", "png", "webp", "heif", "video"]

HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
QUICKTIME_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip"})
KNOWN_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF"),
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "an archive or office document"),
    (b"BM", "a BMP"),
    (b"II*\x00", "a TIFF or raw photo"),
    (b"MM\x00*", "a TIFF or raw photo"),
    (b"#EXTM3U", "a playlist"),
    (b"\x1aE\xdf\xa3", "a WebM or Matroska video"),
    (b"\x00\x00\x01\xba", "an MPEG programme stream"),
)
MARKUP = re.compile(rb"%PDF-|<!doctype|<html|<script|<svg|<\?php", re.IGNORECASE)
SECOND_FILE = re.compile(
    rb"PK\x03\x04|Rar!\x1a|7z\xbc\xaf|%PDF-|<!doctype|<html|<script|<svg|<\?php", re.IGNORECASE
)
HEAD = 1024
TRAILER = 4096


@dataclass(frozen=True, slots=True)
class Box:
    """An ISO base media box (an atom, in QuickTime)."""

    kind: bytes
    start: int
    body: int
    end: int
    """Offsets in the file; `end` may lie beyond it when the file is truncated."""


def kind_of(head: bytes) -> Kind:
    """The kind of a file from its first bytes. Raises `MediaRefused` for what we do not take."""
    kind = _signature(head)
    if kind is None:
        raise MediaRefused(
            "media_type", f"The content is {_name(head)}, which we do not take. {PHOTO_ADVICE}"
        )
    if MARKUP.search(head[:HEAD]):
        raise MediaRefused("media_type", f"The file is two kinds of document at once. {PHOTO_ADVICE}")
    return kind


def require_whole(file: BinaryIO, kind: Kind, size: int) -> None:
    """Raise `MediaRefused` when `file` of `size` bytes is cut short or carries another document behind its end."""
    ends = {"jpeg": _jpeg_end, "png": _png_end, "webp": _webp_end}
    if kind not in ends:
        _require_whole_boxes(file, size)
        return
    end = ends[kind](file, size)
    if end is None or end > size:
        raise MediaRefused("media_truncated")
    file.seek(end)
    if SECOND_FILE.search(file.read(TRAILER)):
        raise MediaRefused(
            "media_type",
            "Another document is hidden behind the picture. Save the picture anew and send that.",
        )


def webp_size(head: bytes) -> tuple[int, int]:
    """Width and height that a WebP header declares. Raises `MediaRefused` when it declares none."""
    form, data = head[12:16], head[20:]
    if form == b"VP8X" and len(data) >= 10:
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if form == b"VP8L" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 " and len(data) >= 10:
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    raise MediaRefused("media_undecodable")


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets, in order. Ends at the first header that is no box."""
    while start + 8 <= end:
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            return
        length, kind, body = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if length == 1:
            length, body = int.from_bytes(header[8:16], "big"), start + 16
        elif length == 0:
            length = end - start
        if length < body - start:
            return
        yield Box(kind, start, body, start + length)
        start += length


def _signature(head: bytes) -> Kind | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _branded(head)
    return "video" if head[4:8] in QUICKTIME_ATOMS else None


def _branded(head: bytes) -> Kind | None:
    length = min(int.from_bytes(head[:4], "big"), len(head), 256)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))}
    if brands & AVIF_BRANDS:
        return None
    return "heif" if head[8:12] in HEIF_BRANDS else "video"


def _name(head: bytes) -> str:
    for magic, name in KNOWN_OTHERS:
        if head.startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        return "an AVIF picture"
    if MARKUP.search(head[:HEAD]):
        return "a drawing or a web page"
    return "empty" if not head else "of an unknown kind"


def _jpeg_end(file: BinaryIO, size: int) -> int | None:
    """The offset behind the first image's EOI marker."""
    at = 2
    while at + 4 <= size:
        file.seek(at)
        lead, marker, high, low = file.read(4)
        if lead != 0xFF:
            found = _after_scan(file, at)
            if found is None:
                return None
            at = found
            continue
        if marker == 0xD9:
            return at + 2
        if marker in {0x01, 0xFF} or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + (high << 8 | low)
        if marker == 0xDA:
            found = _after_scan(file, at)
            if found is None:
                return None
            at = found
    file.seek(at)
    return at + 2 if file.read(2) == b"\xff\xd9" else None


def _after_scan(file: BinaryIO, at: int) -> int | None:
    """The offset of the marker that ends the coded data at `at`; stuffed bytes and restarts belong to it."""
    block, keep = 1024 * 1024, b""
    file.seek(at)
    while data := file.read(block):
        data, base = keep + data, at - len(keep)
        found = data.find(b"\xff")
        while 0 <= found < len(data) - 1:
            following = data[found + 1]
            if following not in (0x00, 0xFF) and not 0xD0 <= following <= 0xD7:
                return base + found
            found = data.find(b"\xff", found + 1)
        at, keep = base + len(data), data[-1:]
    return None


def _png_end(file: BinaryIO, size: int) -> int | None:
    at = 8
    while at + 12 <= size:
        file.seek(at)
        header = file.read(8)
        at += 12 + int.from_bytes(header[:4], "big")
        if header[4:] == b"IEND":
            return at
    return None


def _webp_end(file: BinaryIO, size: int) -> int | None:
    file.seek(4)
    length = 8 + int.from_bytes(file.read(4), "little")
    return length if length >= 20 and size >= 20 else None


def _require_whole_boxes(file: BinaryIO, size: int) -> None:
    found = list(boxes(file, 0, size))
    if not found or found[-1].end > size:
        raise MediaRefused("media_truncated")
    if not {box.kind for box in found} & {b"moov", b"meta"}:
        raise MediaRefused(
            "media_truncated", "The file has no table of contents: its recording or copying was cut off."
        )
    file.seek(found[-1].end)
    if SECOND_FILE.search(file.read(TRAILER)):
        raise MediaRefused(
            "media_type", "Another document is hidden behind the recording. Export it anew and send that."
        )
