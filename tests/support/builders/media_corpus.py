"""Media made by the tests: photos and videos full of what must not get out, and hostile files."""

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

LOCATION = "+40.4093+049.8671/"
SECRETS = (
    b"Exif",
    b"GPS",
    b"SECRET",
    b"xmpmeta",
    b"Photoshop",
    LOCATION.encode(),
    b"Lavf",
    b"Lavc",
    b"x264",
    b"x265",
)
"""Bytes that betray metadata; none may be found in a clean file."""


def gradient(width: int, height: int) -> Image.Image:
    """A picture with another colour in each corner: red, green, blue, white (clockwise from the top left)."""
    corners = Image.new("RGB", (2, 2))
    corners.putdata([(255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 255)])
    return corners.resize((width, height), Image.Resampling.NEAREST)


def exif(orientation: int = 1) -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Make] = "SECRET camera"
    gps = tags.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (40.0, 24.0, 33.0)
    return tags.tobytes()


def jpeg(
    width: int = 320, height: int = 200, orientation: int = 1, picture: Image.Image | None = None
) -> bytes:
    made = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (picture or gradient(width, height)).save(
        made,
        "JPEG",
        quality=95,
        exif=exif(orientation),
        xmp=b"<x:xmpmeta>SECRET</x:xmpmeta>",
        comment=b"SECRET comment",
        icc_profile=profile,
    )
    return made.getvalue()


def png(picture: Image.Image | None = None) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>SECRET</x:xmpmeta>")
    text.add_text("Comment", "SECRET")
    made = io.BytesIO()
    (picture or gradient(320, 200)).save(made, "PNG", pnginfo=text, exif=exif(), dpi=(300, 300))
    return made.getvalue()


def webp(picture: Image.Image | None = None) -> bytes:
    made = io.BytesIO()
    (picture or gradient(320, 200)).save(made, "WEBP", exif=exif(), xmp=b"<x:xmpmeta>SECRET</x:xmpmeta>")
    return made.getvalue()


MOST_ROWS = 64 * 1024 * 1024
"""Bytes of pixels that are really there; the test that makes the file has to hold them."""


def png_bomb(width: int, height: int) -> bytes:
    """A few kilobytes that decode to `width` x `height` pixels."""
    rows = zlib.compress(bytes(min(64 * (1 + width * 3), MOST_ROWS)), 9)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def video(
    path: Path, *, kind: str = "mp4", frames: int = 24, codec: str = "libx264", sound: str | None = "aac"
) -> bytes:
    """A second of a moving gradient and of silence, with a location, a device and a date in its metadata."""
    options = {"movflags": "use_metadata_tags"} if kind == "mp4" else {}
    with av.open(str(path), "w", format=kind, options=options) as made:
        for key, value in (
            ("location", LOCATION),
            ("comment", "SECRET"),
            ("creation_time", "2024-05-06T07:08:09Z"),
        ):
            made.metadata[key] = value
        made.metadata["com.apple.quicktime.location.ISO6709"] = LOCATION
        picture = made.add_stream(codec, rate=24)
        assert isinstance(picture, VideoStream)
        picture.width, picture.height, picture.pix_fmt = 320, 180, "yuv420p"
        picture.metadata["handler_name"] = "SECRET handler"
        picture.time_base = Fraction(1, 24)
        tone = made.add_stream(sound, rate=44100, options={"flags": "+bitexact"}) if sound else None
        assert tone is None or isinstance(tone, AudioStream)
        for number in range(frames):
            frame = VideoFrame.from_image(gradient(320, 180).rotate(number * 4))  # type: ignore[no-untyped-call]
            frame.pts = number
            made.mux(picture.encode(frame))
        made.mux(picture.encode(None))
        if tone is not None:
            for number in range(44):
                quiet = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
                quiet.sample_rate, quiet.pts = 44100, number * 1024
                for plane in quiet.planes:
                    plane.update(bytes(plane.buffer_size))
                made.mux(tone.encode(quiet))
            made.mux(tone.encode(None))
    return path.read_bytes()


def turned(movie: bytes) -> bytes:
    """The movie with a display matrix that turns it by a quarter, as a phone held upright writes it."""
    at = movie.index(b"tkhd") + 4 + 40
    matrix = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 180 << 16, 0, 0x40000000)
    return movie[:at] + matrix + movie[at + len(matrix) :]


def quicktime_place(movie: bytes) -> bytes:
    """The movie with a `©xyz` location box, as phones write it, appended to its table of contents."""
    at = movie.rindex(b"moov") - 4
    length = int.from_bytes(movie[at : at + 4], "big")
    xyz = LOCATION.encode()
    place = struct.pack(">I4sHH", 12 + len(xyz), b"\xa9xyz", len(xyz), 0x15C7) + xyz
    data = struct.pack(">I4s", 8 + len(place), b"udta") + place
    table = struct.pack(">I", length + len(data)) + movie[at + 4 : at + length] + data
    return movie[:at] + table + movie[at + length :]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "drawing": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "media_type"),
    "web page": (b"<!DOCTYPE html><script>1</script>", "media_type"),
    "portable document": (b"%PDF-1.7\n%EOF", "media_type"),
    "animation": (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "media_type"),
    "archive": (b"PK\x03\x04" + bytes(60), "media_type"),
    "playlist": (b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/latest/meta-data\n", "media_type"),
    "text": ("Hörmətli redaksiya, şəkil göndərirəm.".encode(), "media_type"),
    "nothing": (b"", "media_type"),
    "one byte": (b"\xff", "media_type"),
    "photo head alone": (b"\xff\xd8\xff\xe0", "media_truncated"),
    "avif": (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf" + bytes(40), "media_type"),
    "bitmap": (b"BM" + bytes(60), "media_type"),
    "raw photo": (b"II*\x00" + bytes(60), "media_type"),
    "matroska": (b"\x1aE\xdf\xa3" + bytes(60), "media_type"),
    "broken png": (png().replace(b"IDAT", b"IDAT\xff\xff")[:-2], "media_truncated"),
    "photo with a page inside": (
        jpeg()[:2] + b"\xff\xfe\x00\x14<script>alert(1)" + b"  " + jpeg()[2:],
        "media_type",
    ),
    "photo with an archive behind": (jpeg() + b"PK\x03\x04" + bytes(60), "media_type"),
    "png with a document behind": (png() + b"%PDF-1.4", "media_type"),
    "png bomb": (png_bomb(30_000, 30_000), "media_bomb"),
    "tall png bomb": (png_bomb(1, 2**31 - 1), "media_bomb"),
    "webp bomb": (
        b"RIFF\x2c\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00" + bytes(4) + b"\xfe\x3f\x00\xfe\x3f\x00" + bytes(22),
        "media_bomb",
    ),
    "empty film": (
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41\x00\x00\x00\x08moov",
        "media_type",
    ),
    "film without a table": (
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41\x00\x00\x00\x10mdat" + bytes(8),
        "media_truncated",
    ),
}
"""Name → content and the code it is refused with."""
