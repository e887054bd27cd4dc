"""Taking the free-form messages (SEI) out of H.264 and HEVC, where cameras put serial numbers and positions.

Works on the length-prefixed units of MP4 and MOV, and on the decoder configuration beside them. Pure.
"""

# ruff: noqa: PLR2004 - the numbers are the formats'

from services.ingest.media_safety.model import Refused

HEVC_MESSAGES = frozenset({39, 40})
HEVC_ARRAYS = 22
"""Where a HEVC decoder configuration counts its arrays of units."""


def prefix_bytes(codec: str, configuration: bytes) -> int | None:
    """Bytes of each unit's length, from the decoder configuration; nothing for codecs without such messages.

    Raises `Refused` when the configuration is not one.
    """
    if codec not in {"h264", "hevc"}:
        return None
    at = 4 if codec == "h264" else 21
    if len(configuration) <= at + 1 or configuration[0] > 1:
        raise Refused("media_undecodable")
    return (configuration[at] & 3) + 1


def without_messages(codec: str, prefix: int, data: bytes) -> bytes:
    """One packet without its messages. Raises `Refused` when it is not made of whole units."""
    kept, at = [], 0
    while at < len(data):
        end = at + prefix + int.from_bytes(data[at : at + prefix], "big")
        if end > len(data) or at + prefix > len(data):
            raise Refused("media_undecodable")
        if end == at + prefix or not _is_message(codec, data[at + prefix]):
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def configuration_without_messages(codec: str, configuration: bytes) -> bytes:
    """The decoder configuration without messages; only HEVC's can hold any."""
    if codec != "hevc" or len(configuration) <= HEVC_ARRAYS:
        return configuration
    kept, at = [], HEVC_ARRAYS + 1
    for _ in range(configuration[HEVC_ARRAYS]):
        end = at + 3
        for _ in range(int.from_bytes(configuration[at + 1 : at + 3], "big")):
            end += 2 + int.from_bytes(configuration[end : end + 2], "big")
        if end > len(configuration):
            raise Refused("media_undecodable")
        if configuration[at] & 0x3F not in HEVC_MESSAGES:
            kept.append(configuration[at:end])
        at = end
    return configuration[:HEVC_ARRAYS] + bytes([len(kept)]) + b"".join(kept)


def _is_message(codec: str, first: int) -> bool:
    return first & 0x1F == 6 if codec == "h264" else first >> 1 & 0x3F in HEVC_MESSAGES
