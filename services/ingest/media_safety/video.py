"""The video's way through the safety pass: what is shown and heard, in a new MP4, and nothing else.

Pictures and sound are copied, not coded anew, wherever that leaves only what is presented. Everything else stays behind:
metadata, location, chapters, covers, further tracks, what was cut off but is still in the file, private units inside the
picture stream. Runs in the confined worker, between two open files.
"""

import errno
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Final, Protocol, cast

import av
import av.subtitles.codeccontext
import av.subtitles.stream  # PyAV asks for them late, when nothing loads any more
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from services.ingest.media_safety.formats import Box, boxes
from services.ingest.media_safety.model import Made, MediaLimits, MediaRefused
from services.ingest.media_safety.nal_units import encoded_filter, picture_filter

PICTURE_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp9"})
SOUND_CODECS: Final = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
"""Sound that players know in an MP4. Any other that can be decoded becomes AAC."""
SOUND_LAYOUTS: Final = frozenset({"mono", "stereo", "5.1"})
SOUND_RATES: Final = frozenset({32_000, 44_100, 48_000})
PRIMING: Final = 3
"""Packets before the first heard one that a decoder of compressed sound needs to get going."""

INPUT: Final = {"enable_drefs": "0", "max_streams": "32"}
OUTPUT: Final = {"movflags": "+faststart", "fflags": "+bitexact"}
BLOCK: Final = 1024 * 1024
EIGHT_BITS: Final = 8
AAC_SAMPLES: Final = 1024
UNKNOWN: Final = "an unknown codec"
ENCODERS: Final = {
    "libx264": {"preset": "veryfast", "crf": "20", "bf": "0", "rc-lookahead": "10"},
    "libx265": {
        "preset": "ultrafast",
        "crf": "22",
        "x265-params": "pools=none:frame-threads=1:bframes=0:rc-lookahead=5:info=0:log-level=none",
    },
}
"""How the rare film is coded anew of which something was cut off: quickly, without much held in memory."""


def clean_video(source: BinaryIO, target: BinaryIO, limits: MediaLimits) -> Made:
    """Write the clean video to `target`. Raises `MediaRefused`."""
    try:
        sample = _sample(source, limits)
        try:
            seconds = _write(source, target, limits, sample, _Copied)
        except _CutOffError:
            # What was cut off is needed to show what was not: only new pictures come apart from it.
            target.seek(0)
            target.truncate()
            seconds = _write(source, target, limits, sample, _Encoded)
            _turn(target, sample.matrix)
        _blank_user_data(target)
        width, height = _shown(target)
    except MemoryError as error:
        raise MediaRefused("media_bomb") from error
    except FFmpegError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise OSError(error.errno, "the clean video") from error
        raise MediaRefused("media_undecodable") from error
    except (ValueError, IndexError) as error:
        raise MediaRefused("media_undecodable") from error
    if seconds <= 0:
        raise MediaRefused(
            "media_undecodable", "The video has no pictures in it. Export it anew and send that."
        )
    return Made("video/mp4", width, height, round(seconds, 3))


def _opened(file: BinaryIO) -> InputContainer:
    file.seek(0)
    return av.open(file, "r", format="mov", options=INPUT, metadata_errors="replace", buffer_size=BLOCK)


class _Reader:
    """The target as it is read while it is written: the place of reading is its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor, self._at = file.fileno(), 0

    def read(self, count: int) -> bytes:
        data = os.pread(self._descriptor, count, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._descriptor).st_size}
        self._at = starts[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at


def _reading(file: BinaryIO) -> Callable[..., _Reader]:
    """The muxer reads back what it wrote, to put the table of contents in front. It is given nothing else to open."""

    def open_again(_url: str, _flags: int, _options: object) -> _Reader:
        file.flush()
        return _Reader(file)

    return open_again


@dataclass(frozen=True, slots=True)
class _Sample:
    """What the beginning of a film tells: its first packet, and its first picture as far as it matters."""

    packet: bytes
    matrix: bytes | None
    """How the pictures are to be turned and mirrored for showing."""
    deep: bool
    """Whether colours have more than eight bits."""


def _sample(source: BinaryIO, limits: MediaLimits) -> _Sample:
    """One picture is decoded: a renamed or damaged stream is told to its sender, not to the audience."""
    with _opened(source) as given:
        picture = _picture(given, source, limits)
        first = b""
        for packet in given.demux(picture):
            first = first or bytes(packet)
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    return _Sample(first, _matrix(frame), frame.format.components[0].bits > EIGHT_BITS)
    raise MediaRefused("media_undecodable")


def _picture(given: InputContainer, source: BinaryIO, limits: MediaLimits) -> VideoStream:
    """The first track of moving pictures that players know."""
    tracks = [stream for stream in given.streams.video if not _is_cover(stream)]
    if not tracks:
        raise MediaRefused(
            "media_type", "There is no moving picture in the file. Send a video with H.264 or HEVC pictures."
        )
    for track in tracks:
        if _name(track) in PICTURE_CODECS:
            if max(track.width, track.height) > limits.video_side:
                raise MediaRefused("media_bomb")
            track.codec_context.thread_count = 1
            return track
    known = next((name for name in map(_name, tracks) if name != UNKNOWN), None)
    name = known or _written_name(source)
    raise MediaRefused("media_type", f"Pictures coded as {name} are not taken. Export as H.264.")


def _written_name(source: BinaryIO) -> str:
    """What the first track of pictures calls its codec: four letters, if they are letters."""
    for media in _inside(source, b"mdia", _inside(source, b"trak", _tables(source))):
        for inner in [
            box for box in _inside(source, b"minf", [media]) if any(_inside(source, b"vmhd", [box]))
        ]:
            for described in _inside(source, b"stsd", _inside(source, b"stbl", [inner])):
                source.seek(described.body + 12)
                name = source.read(4).decode("latin-1").strip()
                return name if name.isascii() and name.isalnum() else UNKNOWN
    return UNKNOWN


def _sound(given: InputContainer) -> AudioStream | None:
    """The first track of sound that can be decoded; a film with none is silent."""
    return next((track for track in given.streams.audio if _name(track) != UNKNOWN), None)


def _name(track: VideoStream | AudioStream) -> str:
    """The format's name, which is not always its decoder's."""
    # PyAV's types promise a context, but a track that nothing here can decode has none.
    context: CodecContext | None = track.codec_context
    return UNKNOWN if context is None else context.codec.canonical_name


def _is_cover(track: VideoStream) -> bool:
    return bool(track.disposition & track.disposition.attached_pic) or _name(track) in {"mjpeg", "png"}


def _matrix(frame: VideoFrame) -> bytes | None:
    """A picture's display matrix, in the order of bytes that MP4 has."""
    # PyAV's types call it a mapping of anything; iterating over it gives the data themselves.
    for data in cast("Iterable[SideData]", frame.side_data):
        if data.type is SideDataType.DISPLAYMATRIX:
            return struct.pack(">9i", *struct.unpack("=9i", bytes(data)))
    return None


class _CutOffError(Exception):
    """Something that is not presented lies before something that is and needs it."""


class _Track(Protocol):
    """One track on its way into the new film."""

    def send(self, packet: "Packet[Stream]") -> None:
        """Take the next packet."""

    def finish(self) -> None:
        """All packets have come."""


def _write(
    source: BinaryIO,
    target: BinaryIO,
    limits: MediaLimits,
    sample: _Sample,
    kind: "type[_Copied | _Encoded]",
) -> float:
    """Write both tracks; the seconds from the first shown moment to the last."""
    with (
        _opened(source) as given,
        av.open(
            target, "w", format="mp4", options=OUTPUT, buffer_size=BLOCK, io_open=_reading(target)
        ) as made,
    ):
        picture, sound = _picture(given, source, limits), _sound(given)
        pictures = kind(made, picture, sample)
        tracks: dict[int, _Track] = {picture.index: pictures}
        if sound is not None:
            copied = kind is _Copied and _name(sound) in SOUND_CODECS
            tracks[sound.index] = _CopiedSound(made, sound) if copied else _EncodedSound(made, sound)
        for packet in given.demux(*(given.streams[index] for index in tracks)):
            if packet.dts is not None:
                tracks[packet.stream_index].send(packet)
        for track in tracks.values():
            track.finish()
        return pictures.shown.seconds


@dataclass(slots=True)
class _Shown:
    """The span of time in which there is something to see."""

    first: Fraction | None = None
    last: Fraction = Fraction(0)

    def add(self, at: Fraction, seconds: Fraction) -> None:
        """Something is shown from this moment on for so long."""
        self.first = at if self.first is None else min(self.first, at)
        self.last = max(self.last, at + seconds)

    @property
    def seconds(self) -> float:
        """From the first moment to the last."""
        return 0.0 if self.first is None else float(self.last - self.first)


class _Copied:
    """Pictures as they were coded, without the units that draw nothing."""

    def __init__(self, made: OutputContainer, picture: VideoStream, sample: _Sample) -> None:
        name = _name(picture)
        self.shown = _Shown()
        self._made, self._skipped = made, False
        self._output = made.add_stream_from_template(picture, opaque=name != picture.codec_context.name)
        self._filter = picture_filter(name, picture.codec_context.extradata or b"", sample.packet)
        if self._filter is not None:
            self._output.codec_context.extradata = self._filter.configuration
        if name == "hevc":
            self._output.codec_context.codec_tag = "hvc1"

    def send(self, packet: "Packet[Stream]") -> None:
        """Copy a packet that is presented. Raises `_CutOffError` when one before it was not."""
        if packet.is_discard:
            self._skipped = True
            return
        if self._skipped:
            raise _CutOffError
        if packet.pts is not None:
            self.shown.add(packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base)
        data = bytes(packet) if self._filter is None else self._filter.packet(bytes(packet))
        if data:
            _mux(self._made, self._output, _copied(packet, data))

    def finish(self) -> None:
        """Nothing is held back."""


class _Encoded:
    """Pictures coded anew: those that are presented, and nothing of what was cut off."""

    def __init__(self, made: OutputContainer, picture: VideoStream, sample: _Sample) -> None:
        name = "libx265" if sample.deep else "libx264"
        self.shown = _Shown()
        self._made, self._given = made, picture.codec_context
        self._unit = picture.time_base or Fraction(1, 90_000)
        self._form = "yuv420p10le" if sample.deep else "yuv420p"
        output = made.add_stream(name, rate=picture.average_rate or 30, options=ENCODERS[name])
        if not isinstance(output, VideoStream):
            raise TypeError(name)
        self._output = output
        context, given = self._output.codec_context, picture.codec_context
        context.width, context.height, context.pix_fmt = given.width, given.height, self._form
        context.time_base, context.thread_count = self._unit, 1
        if given.sample_aspect_ratio is not None:
            context.sample_aspect_ratio = given.sample_aspect_ratio
        context.color_range, context.colorspace = given.color_range, given.colorspace
        context.color_primaries, context.color_trc = given.color_primaries, given.color_trc
        if sample.deep:
            context.codec_tag = "hvc1"
        self._kept = encoded_filter("hevc" if sample.deep else "h264")

    def send(self, packet: "Packet[Stream]") -> None:
        """Decode a packet and code what it shows; decoders leave out what is not presented."""
        self._code(frame for frame in packet.decode() if isinstance(frame, VideoFrame))

    def _code(self, frames: Iterable[VideoFrame]) -> None:
        for frame in frames:
            if frame.pts is None:
                continue
            self.shown.add(frame.pts * self._unit, (frame.duration or 0) * self._unit)
            whole = frame.reformat(format=self._form)
            whole.time_base = self._unit  # the last ones, which the decoder held back, come without
            whole.pict_type = PictureType.NONE
            self._emit(self._output.encode(whole))

    def _emit(self, packets: "Iterable[Packet[Stream]]") -> None:
        for packet in packets:
            _mux(self._made, self._output, _copied(packet, self._kept(bytes(packet))))

    def finish(self) -> None:
        """Code what the decoder and the encoder still hold."""
        self._code(self._given.decode(None))
        self._emit(self._output.encode(None))


class _CopiedSound:
    """Sound as it was coded."""

    def __init__(self, made: OutputContainer, sound: AudioStream) -> None:
        self._made, self._heard, self._skipped = made, False, list["Packet[Stream]"]()
        self._output = made.add_stream_from_template(sound, opaque=_name(sound) != sound.codec_context.name)

    def send(self, packet: "Packet[Stream]") -> None:
        """Copy a packet that is presented, and the few before the first that it cannot be decoded without."""
        if packet.is_discard:
            self._skipped.append(packet)
            return
        if self._skipped and (self._heard or len(self._skipped) > PRIMING):
            raise _CutOffError
        for one in (*self._skipped, packet):
            if one.size:
                _mux(self._made, self._output, _copied(one, bytes(one)))
        self._heard, self._skipped = True, []

    def finish(self) -> None:
        """Nothing is held back."""


class _EncodedSound:
    """Sound that players do not know in an MP4, or of which something was cut off, as AAC."""

    def __init__(self, made: OutputContainer, sound: AudioStream) -> None:
        layout = sound.layout.name if sound.layout.name in SOUND_LAYOUTS else "stereo"
        rate = sound.rate if sound.rate in SOUND_RATES else 48_000
        self._made, self._given = made, sound
        self._output = made.add_stream("aac", rate=rate, layout=layout, options={"flags": "+bitexact"})
        self._output.codec_context.bit_rate = 96_000 * self._output.codec_context.channels
        self._resampler = AudioResampler("fltp", layout, rate, frame_size=AAC_SAMPLES)

    def send(self, packet: "Packet[Stream]") -> None:
        """Decode a packet and code what is heard of it."""
        for frame in packet.decode():
            if isinstance(frame, AudioFrame):
                self._code(frame)

    def _code(self, frame: AudioFrame | None) -> None:
        for even in self._resampler.resample(frame):
            for packet in self._output.encode(even):
                _mux(self._made, self._output, packet)

    def finish(self) -> None:
        """Code what the decoder, the resampler and the encoder still hold."""
        for frame in self._given.codec_context.decode(None):
            frame.time_base = self._given.time_base
            self._code(frame)
        self._code(None)
        for packet in self._output.encode(None):
            _mux(self._made, self._output, packet)


def _mux(made: OutputContainer, output: VideoStream | AudioStream, packet: "Packet[Stream]") -> None:
    packet.stream = output
    made.mux(packet)


def _copied(packet: "Packet[Stream]", data: bytes) -> "Packet[Stream]":
    """A packet with this content at the same time. Side data of the packet stays behind."""
    copy: Packet[Stream] = Packet(data)
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
    return copy


def _inside(file: BinaryIO, kind: bytes, outer: Iterable[Box]) -> Iterator[Box]:
    """The boxes of a kind directly inside others."""
    for box in outer:
        yield from (inner for inner in boxes(file, box.body, box.end) if inner.kind == kind)


def _tables(file: BinaryIO) -> list[Box]:
    return [box for box in boxes(file, 0, file.seek(0, os.SEEK_END)) if box.kind == b"moov"]


def _blank_user_data(target: BinaryIO) -> None:
    """The muxer writes an empty user data box however little it is given; make it free space in its place."""
    for box in list(_inside(target, b"udta", _tables(target))):
        target.seek(box.start + 4)
        target.write(b"free" + bytes(box.end - box.body))


def _turn(target: BinaryIO, matrix: bytes | None) -> None:
    """Have the pictures turned when they are shown, as they were before."""
    for track in list(_inside(target, b"trak", _tables(target))) if matrix else ():
        media = list(_inside(target, b"minf", _inside(target, b"mdia", [track])))
        if matrix and any(_inside(target, b"vmhd", media)):
            (header,) = _inside(target, b"tkhd", [track])
            target.seek(header.end - len(matrix) - 8)
            target.write(matrix)


def _shown(target: BinaryIO) -> tuple[int, int]:
    """Width and height as a player shows them, read from the film that was made."""
    target.flush()
    with _opened(target) as made:
        stream = made.streams.video[0]
        stream.codec_context.thread_count = 1
        frame = next(made.decode(stream))
        if frame.rotation % 180:
            return stream.height, stream.width
        return stream.width, stream.height
