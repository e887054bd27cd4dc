"""Films made by the tests: with private units, foreign sound, parts cut off, and pictures turned."""

import struct
from collections.abc import Callable
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tests.support.builders.media_corpus import gradient

RATE = 24
TURNS = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}
"""Degrees clockwise → the first four numbers of the matrix that phones write."""


def film(
    path: Path,
    *,
    codec: str = "libx264",
    sound: str | None = "aac",
    frames: int = 48,
    kind: str = "mov",
    options: dict[str, str] | None = None,
) -> Path:
    """Two seconds, each picture brighter than the last; sound that rises in steps, one a picture."""
    given = {"g": "12", "bf": "0", "preset": "ultrafast", "x265-params": "log-level=none:pools=none"} | (
        options or {}
    )
    with av.open(str(path), "w", format=kind) as made:
        picture = made.add_stream(
            codec, rate=RATE, options=given if codec.startswith("libx26") else {"g": "12"}
        )
        assert isinstance(picture, VideoStream)
        picture.width, picture.height, picture.pix_fmt = 320, 180, "yuv420p"
        picture.codec_context.thread_count = 1
        tone = made.add_stream(sound, rate=48_000, layout="stereo") if sound else None
        assert tone is None or isinstance(tone, AudioStream)
        for number in range(frames):
            frame = VideoFrame.from_image(gradient(320, 180).point([shade(number)] * 768))  # type: ignore[no-untyped-call]
            frame.pts = number
            made.mux(picture.encode(frame))
            if tone is not None:
                heard = av.AudioFrame(
                    format="fltp" if sound == "aac" else "s16", layout="stereo", samples=2000
                )
                heard.sample_rate, heard.pts = 48_000, number * 2000
                for plane in heard.planes:
                    value = (
                        struct.pack("<f", number / 100) if sound == "aac" else struct.pack("<h", number * 300)
                    )
                    plane.update(value * (plane.buffer_size // len(value)))
                made.mux(tone.encode(heard))
        made.mux(picture.encode(None))
        if tone is not None:
            made.mux(tone.encode(None))
    return path


def shade(number: int) -> int:
    return 20 + number * 4


def shades(path: Path) -> list[int]:
    """The number of each picture that is shown, told from its brightness."""
    numbers = []
    with av.open(str(path)) as opened:
        for frame in opened.decode(video=0):
            plane = frame.reformat(format="gray").planes[0]
            middle = plane.line_size * (plane.height // 2)
            line = bytes(plane)[middle : middle + plane.width]
            numbers.append(round((sum(line) / len(line) - 20) / 4))
    return numbers


def packets(path: Path) -> int:
    """How many pictures lie in the file, shown or not: a table of their sizes counts them."""
    data = path.read_bytes()
    at = data.index(b"stsz", data.index(b"vmhd"))
    return int.from_bytes(data[at + 12 : at + 16], "big")


def turned(path: Path, degrees: int) -> bytes:
    """The film with the display matrix of a phone held like that."""
    movie = path.read_bytes()
    at = movie.index(b"tkhd") + 4 + 40
    a, b, c, d = TURNS[degrees]
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    return movie[:at] + matrix + movie[at + len(matrix) :]


def cut(path: Path, start: float, seconds: float) -> bytes:
    """The film of which a player shows `seconds` from `start` on; all the rest still lies in the file."""
    movie, at = path.read_bytes(), 0
    scale = int.from_bytes(movie[(header := movie.index(b"mvhd")) + 16 : header + 20], "big")
    while (at := movie.find(b"elst", at)) >= 0:
        media = movie.index(b"mdhd", at)
        ticks = int.from_bytes(movie[media + 16 : media + 20], "big")
        _length, offset = struct.unpack(">Ii", movie[at + 12 : at + 20])
        entry = struct.pack(">Ii", round(seconds * scale), offset + round(start * ticks))
        movie = movie[: at + 12] + entry + movie[at + 20 :]
        at += 4
    return movie


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> bytes:
    """The film with each packet of its pictures changed, and its sound as it was."""
    made_at = path.with_name("rewritten")
    with av.open(str(path)) as given, av.open(str(made_at), "w", format="mp4") as made:
        streams = [given.streams.video[0], *given.streams.audio]
        outputs = {stream.index: made.add_stream_from_template(stream, opaque=True) for stream in streams}
        for packet in given.demux(*streams):
            if packet.dts is None:
                continue
            data = bytes(packet)
            copy: Packet[av.stream.Stream] = Packet(
                change(data) if packet.stream_index == streams[0].index else data
            )
            copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
            copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
            copy.stream = outputs[packet.stream_index]
            made.mux(copy)
    return made_at.read_bytes()


def heard(path: Path) -> list[float]:
    """The loudness of the sound, at the middle of each picture's time."""
    with av.open(str(path)) as opened:
        resampler = av.AudioResampler("flt", "mono", 48_000)
        values: list[float] = []
        for frame in opened.decode(audio=0):
            for one in resampler.resample(frame):
                values += struct.unpack(f"<{one.samples}f", bytes(one.planes[0])[: one.samples * 4])
    return [values[at] for at in range(1000, len(values), 2000)]
