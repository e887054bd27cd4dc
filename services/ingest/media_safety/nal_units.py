"""What a coded picture stream is made of, and which of it may leave: what draws pictures, and nothing else.

H.264 and HEVC come in units, AV1 in units of its own. Beside slices and parameter sets there are free-form messages with
serial numbers and positions, private units, padding, a second layer that nobody is shown. The lists name what stays, so
that a kind of unit which nobody thought of stays behind. Pure.
"""

# ruff: noqa: PLR2004 - the numbers are the formats'

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import and_
from typing import Final

from services.ingest.media_safety.model import MediaRefused

H264_KEPT: Final = frozenset({1, 2, 3, 4, 5, 7, 8})
"""Slices and their parameter sets."""
H264_ENDS: Final = frozenset({10, 11})
HEVC_SETS: Final = frozenset({32, 33, 34})
HEVC_KEPT: Final = frozenset({*range(10), *range(16, 22)}) | HEVC_SETS
HEVC_ENDS: Final = frozenset({36, 37})
"""A unit that ends a sequence is its header alone; bytes behind it are somebody's."""
AV1_SEQUENCE: Final = 1
AV1_KEPT: Final = frozenset({AV1_SEQUENCE, 3, 4, 6, 7})
HIGH_PROFILES: Final = frozenset({100, 110, 122, 144})
HIGH_MARKS: Final = b"\xfc\xf8\xf8"
"""The bits that are set in what high profiles say of their colours."""
HEVC_FIXED: Final = 22
"""Bytes of a HEVC decoder configuration before it counts its arrays of units."""


@dataclass(frozen=True, slots=True)
class PictureFilter:
    """How one stream is let through: its decoder configuration as it may leave, and what is left of each packet."""

    configuration: bytes
    packet: Callable[[bytes], bytes]


def picture_filter(codec: str, configuration: bytes, first: bytes) -> PictureFilter | None:
    """The filter for a stream as it lies in MP4 and MOV; nothing for codecs that have no such units.

    `first` is the stream's first packet. Raises `MediaRefused` when the configuration is not one.
    """
    try:
        if codec == "h264":
            return _h264(configuration)
        if codec == "hevc":
            return _hevc(configuration, first)
        if codec == "av1":
            return _av1(configuration)
    except IndexError as error:
        raise MediaRefused("media_undecodable") from error
    return None


def encoded_filter(codec: str) -> Callable[[bytes], bytes]:
    """What is left of a packet as our own encoder of this codec makes it: units parted by start codes."""
    kept = _of_h264 if codec == "h264" else _of_hevc

    def packet(data: bytes) -> bytes:
        units = (kept(unit) for unit in _between_start_codes(data))
        return b"".join(b"\x00\x00\x00\x01" + unit for unit in units if unit)

    return packet


def _h264(configuration: bytes) -> PictureFilter:
    if configuration[0] != 1:
        raise MediaRefused("media_undecodable")
    sequences, at = _counted(configuration, 6, configuration[5] & 0x1F)
    pictures, at = _counted(configuration, at + 1, configuration[at])
    kept = configuration[:5]
    for reserved, kind, units in ((0xE0, 7, sequences), (0, 8, pictures)):
        sets = [unit for unit in units if unit and unit[0] & 0x1F == kind]
        kept += bytes([reserved | len(sets)]) + _listed(sets)
    depths = configuration[at : at + 3]
    if configuration[1] in HIGH_PROFILES and bytes(map(and_, depths, HIGH_MARKS)) == HIGH_MARKS:
        kept += depths + b"\x00"
    return PictureFilter(kept, _prefixed((configuration[4] & 3) + 1, _of_h264))


def _of_h264(unit: bytes) -> bytes:
    """What is left of a unit."""
    kind = unit[0] & 0x1F
    if kind in H264_KEPT:
        return unit
    return unit[:1] if kind in H264_ENDS else b""


def _hevc(configuration: bytes, first: bytes) -> PictureFilter:
    if configuration[0] > 1:
        raise MediaRefused("media_undecodable")
    prefix, at, found = (configuration[21] & 3) + 1, HEVC_FIXED + 1, list[bytes]()
    for _ in range(configuration[HEVC_FIXED]):
        units, at = _counted(configuration, at + 3, int.from_bytes(configuration[at + 1 : at + 3], "big"))
        found += units
    # Some cameras tell the parameters inside the stream alone; players that ask for `hvc1` want them in front.
    found += _units(first, prefix)
    sets = [unit for unit in dict.fromkeys(found) if len(unit) > 2 and _hevc_kind(unit) in HEVC_SETS]
    arrays = [(kind, [unit for unit in sets if _hevc_kind(unit) == kind]) for kind in sorted(HEVC_SETS)]
    listed = b"".join(
        bytes([0x80 | kind]) + len(units).to_bytes(2, "big") + _listed(units)
        for kind, units in arrays
        if units
    )
    count = bytes([sum(bool(units) for _, units in arrays)])
    told = frozenset(sets)
    return PictureFilter(
        configuration[:HEVC_FIXED] + count + listed,
        _prefixed(prefix, lambda unit: b"" if unit in told else _of_hevc(unit)),
    )


def _hevc_kind(unit: bytes) -> int | None:
    """A unit's kind; nothing for a unit of another layer than the one that everybody is shown."""
    return None if unit[0] & 1 or unit[1] >> 3 else unit[0] >> 1 & 0x3F


def _of_hevc(unit: bytes) -> bytes:
    """What is left of a unit."""
    kind = _hevc_kind(unit) if len(unit) > 1 else None
    if kind in HEVC_KEPT:
        return unit
    return unit[:2] if kind in HEVC_ENDS else b""


def _counted(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """So many units, each behind two bytes of its length, and where they end."""
    found = []
    for _ in range(count):
        length = data[at] << 8 | data[at + 1]
        found.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    if at > len(data):
        raise MediaRefused("media_undecodable")
    return found, at


def _listed(units: Iterable[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def _units(data: bytes, prefix: int) -> Iterator[bytes]:
    """The units of a packet, each behind its length. Raises `MediaRefused` when it is not made of whole units."""
    at = 0
    while at < len(data):
        begin = at + prefix
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > len(data) or begin > len(data):
            raise MediaRefused("media_undecodable")
        if at > begin:
            yield data[begin:at]


def _prefixed(prefix: int, kept: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def packet(data: bytes) -> bytes:
        units = (kept(unit) for unit in _units(data, prefix))
        return b"".join(len(unit).to_bytes(prefix, "big") + unit for unit in units if unit)

    return packet


def _between_start_codes(data: bytes) -> Iterator[bytes]:
    for part in data.split(b"\x00\x00\x01"):
        unit = part.rstrip(b"\x00")
        if unit:
            yield unit


def _av1(configuration: bytes) -> PictureFilter:
    if len(configuration) < 4:
        return PictureFilter(configuration, _av1_packet)
    sequence = _of_av1(configuration[4:], frozenset({AV1_SEQUENCE}))
    return PictureFilter(configuration[:4] + sequence, _av1_packet)


def _av1_packet(data: bytes) -> bytes:
    return _of_av1(data, AV1_KEPT)


def _of_av1(data: bytes, kept: frozenset[int]) -> bytes:
    at, left = 0, list[bytes]()
    while at < len(data):
        header = data[at]
        begin = at + (2 if header & 4 else 1)
        length = len(data) - begin
        if header & 2:
            length, begin = _leb128(data, begin)
        if begin + length > len(data) or length < 0 or header & 0x80:
            raise MediaRefused("media_undecodable")
        if header >> 3 & 0xF in kept:
            left.append(data[at : begin + length])
        at = begin + length
    return b"".join(left)


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to eight groups of seven bits, and where it ends."""
    value = 0
    for place in range(8):
        if at + place >= len(data):
            break
        value |= (data[at + place] & 0x7F) << 7 * place
        if not data[at + place] & 0x80:
            return value, at + place + 1
    raise MediaRefused("media_undecodable")
