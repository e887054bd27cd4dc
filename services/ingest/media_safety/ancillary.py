"""What is beside the pixels in a photo's file, taken off before a decoder sees any of it.

Text, comments, previews and maker's notes are thrown away in the end, so they must not decide whether a sound photo is
taken. Two things are read on the way: which side is up, and what the colours mean. Where they are malformed, the photo is
taken as it lies. Works on bytes alone.
"""

# ruff: noqa: PLR2004 - the numbers are the formats'

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.ingest.media_safety.formats import Kind
from services.ingest.media_safety.model import MediaRefused

ORIENTATION: Final = 0x0112
MOST_PROFILE: Final = 4 * 1024 * 1024
"""A colour profile that is larger unpacked is left aside."""

JPEG_KEPT: Final = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDD}) - {0xC8}
"""Frames, tables and restart intervals. Scans and the end are told apart from segments."""
ADOBE, JFIF, EXIF, ICC = b"Adobe", b"JFIF\x00", b"Exif\x00", b"ICC_PROFILE\x00"
PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
PNG_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
WEBP_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH"})
WEBP_ALPHA: Final = 0x10


@dataclass(frozen=True, slots=True)
class Bare:
    """A photo's file with nothing in it but pixels, and what was told beside them."""

    data: bytes
    orientation: int = 1
    profile: bytes | None = None
    progressive: bool = False
    """Whether the decoder must hold the whole picture before it can show a line of it."""


def bare(kind: Kind, data: bytes) -> Bare:
    """Take everything beside the pixels off. Raises `MediaRefused` when the file has no structure, or moves."""
    return _BY_KIND[kind](data)


def orientation_of(exif: bytes) -> int:
    """The orientation in a TIFF structure, 1 (as it lies) where there is none to be read."""
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, form, _number, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == ORIENTATION and form == 3:
                return value if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass
    return 1


def _jpeg(data: bytes) -> Bare:
    kept, exif, profile, progressive = [data[:2]], b"", dict[int, bytes](), False
    for marker, segment in _segments(data):
        body = segment[4:]
        progressive |= marker in PROGRESSIVE
        if marker in JPEG_KEPT or marker == 0xDA or (marker == 0xEE and body.startswith(ADOBE)):
            kept.append(segment)
        elif marker == 0xE0 and body.startswith(JFIF) and len(body) >= 14:
            kept.append(b"\xff\xe0\x00\x10" + body[:12] + b"\x00\x00")
        elif marker == 0xE1 and body.startswith(EXIF):
            exif = exif or body[6:]
        elif marker == 0xE2 and body.startswith(ICC) and len(body) > 14:
            profile[body[12]] = body[14:]
    whole = b"".join(profile[number] for number in sorted(profile))
    return Bare(b"".join([*kept, b"\xff\xd9"]), orientation_of(exif), whole or None, progressive)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each segment of the first picture; a scan's coded data belong to its header."""
    at = 2
    while True:
        at = data.find(b"\xff", at)
        while 0 <= at < len(data) - 1 and data[at + 1] == 0xFF:
            at += 1
        if not 0 <= at <= len(data) - 4 or data[at + 1] == 0xD9:
            return
        marker = data[at + 1]
        if marker <= 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            end = _end_of_scan(data, end)
        yield marker, data[at:end]
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    while True:
        at = data.find(b"\xff", at)
        if not 0 <= at < len(data) - 1:
            return len(data)
        if data[at + 1] not in (0x00, 0xFF) and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 1 if data[at + 1] == 0xFF else 2


def _png(data: bytes) -> Bare:
    kept, orientation, profile = [data[:8]], 1, None
    for name, chunk in _chunks(data):
        body = chunk[8:-4]
        if name in PNG_KEPT:
            kept.append(chunk)
        elif name == b"eXIf":
            orientation = orientation_of(body)
        elif name == b"iCCP":
            profile = _unpacked(body)
        elif name == b"acTL" and int.from_bytes(body[:4], "big") > 1:
            raise _moves()
    return Bare(b"".join(kept), orientation, profile)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        yield name, data[at:end]
        if name == b"IEND":
            return
        at = end


def _unpacked(body: bytes) -> bytes | None:
    """The profile in an iCCP chunk: a name, a method of packing, and the packed profile."""
    _name, _, packed = body.partition(b"\x00")
    try:
        unpacking = zlib.decompressobj()
        profile = unpacking.decompress(packed[1:], MOST_PROFILE)
    except zlib.error:
        return None
    return profile if unpacking.eof else None


def _webp(data: bytes) -> Bare:
    kept, orientation, profile, pictures = list[bytes](), 1, None, 0
    at, end = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= end:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + length]
        if name == b"VP8X" and len(body) >= 10:
            kept.append(data[at : at + 8] + bytes([body[0] & WEBP_ALPHA]) + body[1:])
        elif name in WEBP_KEPT:
            kept.append(data[at : at + 8] + body + bytes(length & 1))
        elif name == b"ANMF":
            pictures += 1
            kept += [_frame(body)] if pictures == 1 else []
        elif name == b"EXIF":
            orientation = orientation_of(body.removeprefix(b"Exif\x00\x00"))
        elif name == b"ICCP" and length <= MOST_PROFILE:
            profile = body
        at += 8 + length + (length & 1)
    if pictures > 1:
        raise _moves()
    whole = b"WEBP" + b"".join(kept)
    return Bare(b"RIFF" + len(whole).to_bytes(4, "little") + whole, orientation, profile)


def _frame(body: bytes) -> bytes:
    """The picture of an animation's only frame, as a still one."""
    return body[16:]


def _heif(data: bytes) -> Bare:
    """HEIF keeps what is beside the pixels in items of their own, which its decoder does not open unasked."""
    return Bare(data)


def _moves() -> MediaRefused:
    return MediaRefused("media_type", "The picture moves. Send it as a video, or send one still picture.")


_BY_KIND: Final[Mapping[Kind, Callable[[bytes], Bare]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "heif": _heif,
}
