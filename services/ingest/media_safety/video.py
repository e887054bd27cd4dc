"""The video's way through the safety pass: its picture and sound copied into a new MP4, without transcoding.

Everything else stays behind: metadata, location, chapters, cover pictures, subtitle and data tracks, and the
free-form messages (SEI) inside the picture stream. Runs in the sandboxed worker.
"""

import os
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from services.ingest.media_safety.formats import boxes
from services.ingest.media_safety.model import Limits, Refused
from services.ingest.media_safety.nal_units import (
    configuration_without_messages,
    prefix_bytes,
    without_messages,
)

PICTURE_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp9"})
SOUND_CODECS: Final = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})

INPUT: Final = {"protocol_whitelist": "file", "enable_drefs": "0", "max_streams": "32"}
OUTPUT: Final = {"movflags": "+faststart", "fflags": "+bitexact"}


def clean_video(source: Path, target: Path, limits: Limits) -> tuple[int, int, float]:
    """Write the clean video to `target`; its width and height as shown, and its seconds. Raises `Refused`."""
    try:
        with av.open(str(source), format="mov", options=INPUT, metadata_errors="replace") as given:
            picture, sound = _tracks(given, limits)
            _require_decodable(given, picture)
            with av.open(str(target), "w", format="mp4", options=OUTPUT) as made:
                seconds = _copy(given, made, picture, sound)
        _blank_user_data(target)
        width, height = _shown(target)
    except MemoryError as error:
        raise Refused("media_bomb") from error
    except (FFmpegError, ValueError, IndexError) as error:
        raise Refused("media_undecodable") from error
    if seconds <= 0:
        raise Refused("media_undecodable", "The video has no pictures in it. Export it anew and send that.")
    return width, height, round(seconds, 3)


def _tracks(given: InputContainer, limits: Limits) -> tuple[VideoStream, AudioStream | None]:
    pictures = [stream for stream in given.streams.video if not _is_cover(stream)]
    if not pictures:
        raise Refused(
            "media_type", "There is no moving picture in the file. Send a video with H.264 or HEVC pictures."
        )
    picture = pictures[0]
    if _codec(picture) not in PICTURE_CODECS:
        raise Refused("media_type", f"Pictures coded as {_codec(picture)} are not taken. Export as H.264.")
    if max(picture.width, picture.height) > limits.video_side:
        raise Refused("media_bomb")
    sound = given.streams.audio[0] if given.streams.audio else None
    if sound is not None and _codec(sound) not in SOUND_CODECS:
        raise Refused("media_type", f"Sound coded as {_codec(sound)} is not taken. Export with AAC sound.")
    return picture, sound


def _codec(stream: VideoStream | AudioStream) -> str:
    """The format's name; a decoder's own name may be another."""
    return stream.codec_context.codec.canonical_name


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & stream.disposition.attached_pic) or _codec(stream) in {"mjpeg", "png"}


def _require_decodable(given: InputContainer, picture: VideoStream) -> None:
    """One frame is decoded: a renamed or damaged stream is told to its sender, not to the audience."""
    picture.codec_context.thread_count = 1
    if next(given.decode(picture), None) is None:
        raise Refused("media_undecodable")
    given.seek(0)


def _copy(
    given: InputContainer, made: OutputContainer, picture: VideoStream, sound: AudioStream | None
) -> float:
    """Copy the packets of both tracks; the seconds from the first shown moment to the last."""
    streams: list[VideoStream | AudioStream] = [picture] if sound is None else [picture, sound]
    outputs = {
        stream.index: made.add_stream_from_template(
            stream, opaque=_codec(stream) != stream.codec_context.name
        )
        for stream in streams
    }
    codec, configuration = _codec(picture), picture.codec_context.extradata or b""
    prefix = prefix_bytes(codec, configuration)
    if prefix is not None:
        outputs[picture.index].codec_context.extradata = configuration_without_messages(codec, configuration)
    first, last = None, Fraction(0)
    for packet in given.demux(*streams):
        if packet.dts is None:
            continue
        output, kept = outputs[packet.stream.index], packet
        if packet.stream.index == picture.index:
            if packet.pts is not None:
                shown = packet.pts * packet.time_base
                first = shown if first is None else min(first, shown)
                last = max(last, shown + (packet.duration or 0) * packet.time_base)
            if prefix is not None:
                kept = _copied(packet, without_messages(codec, prefix, bytes(packet)))
        kept.stream = output
        if kept.size:
            made.mux(kept)
    return float(last - first) if first is not None else 0.0


def _copied(packet: "Packet[Stream]", data: bytes) -> "Packet[Stream]":
    """A packet with other content at the same time. Side data of the packet stays behind."""
    copy: Packet[Stream] = Packet(data)
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
    return copy


def _blank_user_data(target: Path) -> None:
    """The muxer writes an empty user data box however little it is given; make it free space in its place."""
    with target.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        tables = [box for box in boxes(file, 0, size) if box.kind == b"moov"]
        for box in [inner for table in tables for inner in boxes(file, table.body, table.end)]:
            if box.kind == b"udta":
                file.seek(box.start + 4)
                file.write(b"free" + bytes(box.end - box.body))


def _shown(target: Path) -> tuple[int, int]:
    """Width and height as a player shows them, read from the file that was made."""
    with av.open(str(target), format="mov", options=INPUT) as made:
        stream = made.streams.video[0]
        frame = next(made.decode(stream))
        if frame.rotation % 180:
            return stream.height, stream.width
        return stream.width, stream.height
