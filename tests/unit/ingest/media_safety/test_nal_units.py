"""Which units of a picture stream may leave, as properties of the pure filter."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.media_safety.model import MediaRefused
from services.ingest.media_safety.nal_units import encoded_filter, picture_filter

H264_SETS = b"\x01\x64\x00\x0a\xff\xe1\x00\x04\x67\x64\x00\x0a\x01\x00\x04\x68\xee\x3c\x80"
HEVC_HEAD = bytes([1, *bytes(20), 3])
DRAWING = {
    "h264": {1, 2, 3, 4, 5, 7, 8},
    "hevc": {*range(10), *range(16, 22), 32, 33, 34},
    "av1": {1, 3, 4, 6, 7},
}


def hevc_configuration(kinds: list[int]) -> bytes:
    arrays = [bytes([kind]) + b"\x00\x01\x00\x04" + bytes([kind << 1, 1, 7, 7]) for kind in kinds]
    return HEVC_HEAD + bytes([len(arrays)]) + b"".join(arrays)


CONFIGURATIONS = {"h264": H264_SETS, "hevc": hevc_configuration([32, 33, 34]), "av1": b"\x81\x00\x0c\x00"}
HEADERS: dict[str, Callable[[int], bytes]] = {
    "h264": lambda kind: bytes([0x60 | kind]),
    "hevc": lambda kind: bytes([kind << 1, 1]),
    "av1": lambda kind: bytes([kind << 3 | 2]),
}
ENDS = {"h264": {10, 11}, "hevc": {36, 37}, "av1": set[int]()}
MOST = {"h264": 31, "hevc": 63, "av1": 15}


def packet(codec: str, units: list[tuple[int, bytes]]) -> bytes:
    if codec == "av1":
        return b"".join(HEADERS[codec](kind) + bytes([len(body)]) + body for kind, body in units)
    whole = [HEADERS[codec](kind) + body for kind, body in units]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in whole)


@pytest.mark.parametrize("codec", CONFIGURATIONS)
@given(data=st.data())
def test_what_draws_stays_in_order_and_nothing_else_does(codec: str, data: st.DataObject) -> None:
    bodies = st.binary(min_size=1, max_size=60)
    units = data.draw(st.lists(st.tuples(st.integers(0, MOST[codec]), bodies), max_size=12))
    found = picture_filter(codec, CONFIGURATIONS[codec], b"")
    assert found is not None

    left = found.packet(packet(codec, units))

    expected = [
        (kind, b"" if kind in ENDS[codec] else body)
        for kind, body in units
        if kind in DRAWING[codec] | ENDS[codec]
    ]
    assert left == packet(codec, expected)
    assert found.packet(left) == left


@pytest.mark.parametrize("codec", CONFIGURATIONS)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_filtered_or_refused(codec: str, content: bytes) -> None:
    found = picture_filter(codec, CONFIGURATIONS[codec], b"")
    assert found is not None
    with suppress(MediaRefused):
        left = found.packet(content)
        assert found.packet(left) == left


@pytest.mark.parametrize("codec", CONFIGURATIONS)
@given(configuration=st.binary(max_size=200), first=st.binary(max_size=60))
def test_any_configuration_is_taken_or_refused(codec: str, configuration: bytes, first: bytes) -> None:
    with suppress(MediaRefused):
        picture_filter(codec, configuration, first)


def test_a_configuration_keeps_its_parameter_sets_alone() -> None:
    message = b"\x06\xf0SECRET"
    hiding = (
        H264_SETS[:6].replace(b"\xe1", b"\xe2") + H264_SETS[6:12] + b"\x00\x08" + message + H264_SETS[12:]
    )

    h264 = picture_filter("h264", hiding + b"SECRET behind", b"")
    hevc = picture_filter("hevc", hevc_configuration([32, 33, 34, 39, 40, 41]) + b"SECRET behind", b"")
    av1 = picture_filter("av1", CONFIGURATIONS["av1"] + packet("av1", [(1, b"ab"), (5, b"SECRET")]), b"")

    assert h264 is not None
    assert hevc is not None
    assert av1 is not None
    assert h264.configuration == H264_SETS
    assert [kind for kind in (32, 33, 34) if bytes([kind << 1, 1, 7, 7]) in hevc.configuration] == [
        32,
        33,
        34,
    ]
    assert hevc.configuration[22] == 3
    assert b"SECRET" not in hevc.configuration + av1.configuration
    assert av1.configuration == CONFIGURATIONS["av1"] + packet("av1", [(1, b"ab")])


def test_parameters_told_inside_the_stream_alone_come_in_front() -> None:
    sets = [(kind, b"\x07\x07") for kind in (32, 33, 34)]
    first = packet("hevc", [*sets, (19, b"picture")])

    found = picture_filter("hevc", HEVC_HEAD + b"\x00", first)

    assert found is not None
    assert found.configuration[22] == 3
    assert found.packet(first) == packet("hevc", [(19, b"picture")])


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_what_our_encoder_makes_is_freed_of_its_messages_too(codec: str) -> None:
    draws, talks = (5, 6) if codec == "h264" else (19, 39)
    units = [HEADERS[codec](talks) + b"x264 options", HEADERS[codec](draws) + b"\x11picture"]

    left = encoded_filter(codec)(b"\x00\x00\x00\x01" + units[0] + b"\x00\x00\x01" + units[1])

    assert left == b"\x00\x00\x00\x01" + units[1]


def test_other_codecs_have_no_such_units() -> None:
    assert picture_filter("vp9", b"", b"") is None
