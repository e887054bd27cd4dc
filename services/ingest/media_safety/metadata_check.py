"""An independent reading of the clean file: it must hold pixels and sound, and nothing else.

The readers walk the bytes against a list of what may be there, so whatever an encoder might add is found even
if nobody thought of it. They share no code with the encoders.
"""

# ruff: noqa: PLR2004 - the numbers are the formats'

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import BinaryIO, Final

from services.ingest.media_safety.formats import Box, boxes
from services.ingest.media_safety.model import CleanType

JFIF_PLAIN: Final = 16
"""Length of a JFIF header without a thumbnail."""
JPEG_MARKERS: Final = frozenset({0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD})
PNG_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
PARENTS: Final = frozenset({b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl"})
LEAVES: Final = frozenset(
    (
        b"ftyp free mdat mvhd tkhd elst mdhd hdlr vmhd smhd dref stsd stts ctts cslg stss sdtp stsc stsz "
        b"stco co64 sgpd sbgp"
    ).split()
)
DATED: Final = frozenset({b"mvhd", b"tkhd", b"mdhd"})
MOST_PICTURE: Final = 160 * 1024 * 1024
MOST_FOUND: Final = 20
MOST_PARTS: Final = 20_000
"""Chunks or boxes: no file that we make has nearly so many."""
DEEPEST: Final = 8
_SIGNATURES: Final[Mapping[CleanType, bytes]] = {
    "image/jpeg": b"\xff\xd8",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "video/mp4": b"\x00\x00\x00",
}
HANDLERS: Final = frozenset({b"VideoHandler", b"SoundHandler", b""})


def leaks(file: BinaryIO, kind: CleanType, size: int) -> list[str]:
    """What `file` of `size` bytes holds besides its content, as far as the first few; empty for a clean file.

    Whatever the bytes are, it ends soon: they come from a process that a stranger may have taken over.
    """
    readers = {"image/jpeg": _jpeg, "image/png": _png, "video/mp4": _mp4}
    if kind != "video/mp4" and size > MOST_PICTURE:
        return ["more bytes than a picture has"]
    signature = _SIGNATURES[kind]
    head = file.read(len(signature))
    file.seek(0)
    if head != signature:
        return ["another signature"]
    try:
        return list(islice(readers[kind](file, size), MOST_FOUND))
    except IndexError:
        return ["no structure"]


def _jpeg(file: BinaryIO, size: int) -> Iterator[str]:
    data = file.read(size)
    at = 2
    while at + 4 <= len(data):
        lead, marker = data[at], data[at + 1]
        if lead != 0xFF:
            yield f"byte {lead:#x} between segments"
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xE0:
            if data[at + 4 : at + 9] != b"JFIF\x00" or length != JFIF_PLAIN:
                yield "a thumbnail or foreign header in APP0"
        elif marker not in JPEG_MARKERS:
            yield f"segment {marker:#x}"
        at += 2 + length
        if marker == 0xDA:
            while data[at] != 0xFF or data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
                at = data.find(b"\xff", at + 1)
                if at < 0 or at + 1 >= len(data):
                    yield "no end"
                    return
    if data[at:] != b"\xff\xd9":
        yield "bytes behind the picture"


def _png(file: BinaryIO, size: int) -> Iterator[str]:
    at, parts = 8, 0
    while at + 12 <= size and parts < MOST_PARTS:
        parts += 1
        file.seek(at)
        header = file.read(8)
        if header[4:] not in PNG_CHUNKS:
            yield f"chunk {header[4:]!r}"
        at += 12 + int.from_bytes(header[:4], "big")
        if header[4:] == b"IEND":
            break
    if at != size:
        yield "bytes behind the picture"


def _mp4(file: BinaryIO, size: int) -> Iterator[str]:
    end = 0
    for parts, box in enumerate(_all(file, 0, size, 0)):
        if parts > MOST_PARTS:
            yield "more boxes than a film has"
            return
        file.seek(box.body)
        if box.kind not in PARENTS | LEAVES:
            yield f"box {box.kind!r}"
        elif box.kind == b"free" and box.end > box.body and any(file.read(box.end - box.body)):
            yield "bytes in free space"
        elif box.kind in DATED and any(_dates(file.read(20))):
            yield f"a date in {box.kind!r}"
        elif box.kind == b"hdlr" and file.read(box.end - box.body)[24:].rstrip(b"\x00") not in HANDLERS:
            yield "a foreign handler name"
        end = max(end, box.end)
    if end != size:
        yield "bytes behind the recording"


def _all(file: BinaryIO, start: int, end: int, depth: int) -> Iterator[Box]:
    for box in boxes(file, start, end):
        yield box
        if box.kind in PARENTS and depth < DEEPEST:
            yield from _all(file, box.body, box.end, depth + 1)


def _dates(header: bytes) -> bytes:
    """Creation and modification times of a full box: 32 bits each in version 0, 64 in version 1."""
    return header[4:20] if header[:1] == b"\x01" else header[4:12]
