"""The media safety pass, through its real sandboxed process."""

import io
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import av
import pytest
from PIL import Image, PngImagePlugin

from services.ingest.media_safety.metadata_check import leaks
from services.ingest.media_safety.model import Cleaned, MediaLimits, MediaRefusal, Verdict
from services.ingest.media_safety.sandbox import LocalSandbox, Sandbox, WorkerFailed, make_safe
from tests.support.builders import media_corpus as corpus

Pass = Callable[[bytes], Awaitable[Verdict]]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "clean"


@pytest.fixture
def sandbox() -> Sandbox:
    return LocalSandbox()


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path, target: Path) -> Pass:
    async def run(content: bytes) -> Verdict:
        source = tmp_path / "source"
        source.write_bytes(content)
        return await make_safe(sandbox, source, target, MediaLimits())

    return run


def _colours(target: Path) -> list[str]:
    """The colours in the corners, clockwise from the top left, by name."""
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    with Image.open(target) as opened:
        picture = opened.convert("RGB")
    right, bottom = picture.width - 4, picture.height - 4
    corners = [picture.getpixel(at) for at in ((4, 4), (right, 4), (right, bottom), (4, bottom))]
    return [
        names[round(corner[0] / 255), round(corner[1] / 255), round(corner[2] / 255)]
        for corner in corners
        if isinstance(corner, tuple)
    ]


def _assert_nothing_left(target: Path, verdict: Cleaned) -> None:
    content = target.read_bytes()

    assert [secret for secret in corpus.SECRETS if secret in content] == []
    assert leaks(io.BytesIO(content), verdict.type, len(content)) == []
    if verdict.type.startswith("image/"):
        with Image.open(target) as picture:
            assert dict(picture.getexif()) == {}
            assert {"icc_profile", "xmp", "exif", "comment"}.isdisjoint(picture.info)


@pytest.mark.parametrize("make", [corpus.jpeg, corpus.png, corpus.webp])
async def test_no_metadata_leaves_with_a_photo(run: Pass, target: Path, make: Callable[[], bytes]) -> None:
    verdict = await run(make())

    assert isinstance(verdict, Cleaned)
    assert (verdict.width, verdict.height) == (320, 200)
    _assert_nothing_left(target, verdict)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_photo_is_turned_upright(run: Pass, target: Path, orientation: int) -> None:
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = corpus.gradient(320, 200)
    stored = upright.transpose(turn[orientation]) if orientation in turn else upright

    verdict = await run(corpus.jpeg(orientation=orientation, picture=stored))

    assert isinstance(verdict, Cleaned)
    assert (verdict.width, verdict.height) == (320, 200)
    assert _colours(target) == ["red", "green", "blue", "white"]


async def test_a_large_photo_is_scaled_to_the_long_edge(run: Pass) -> None:
    verdict = await run(corpus.jpeg(5000, 2500))

    assert isinstance(verdict, Cleaned)
    assert (verdict.width, verdict.height) == (4096, 2048)


async def test_transparency_is_kept_as_png(run: Pass, target: Path) -> None:
    picture = Image.new("RGBA", (64, 64), (255, 0, 0, 128))

    verdict = await run(corpus.webp(picture))

    assert isinstance(verdict, Cleaned)
    assert verdict.type == "image/png"
    with Image.open(target) as made:
        assert made.mode == "RGBA"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
async def test_every_mode_of_png_is_taken(run: Pass, target: Path, mode: str) -> None:
    value = 40_000 if mode == "I;16" else 156
    picture = (
        Image.new("I;16", (40, 30), value)
        if mode == "I;16"
        else Image.new("L", (40, 30), value).convert(mode)
    )

    verdict = await run(corpus.png(picture))

    assert isinstance(verdict, Cleaned)
    if mode not in {"1", "P"}:
        with Image.open(target) as made:
            grey = made.convert("L").getpixel((5, 5))
            assert isinstance(grey, int | float)
            assert abs(156 - grey) <= 1


async def test_a_print_photo_in_four_colours_becomes_srgb(run: Pass, target: Path) -> None:
    made = io.BytesIO()
    Image.new("CMYK", (40, 30), (0, 255, 255, 0)).save(made, "JPEG")

    verdict = await run(made.getvalue())

    assert isinstance(verdict, Cleaned)
    with Image.open(target) as picture:
        assert picture.mode == "RGB"
        pixel = picture.getpixel((5, 5))
        assert isinstance(pixel, tuple)
        assert pixel[0] > 200
        assert pixel[1] < 60


@pytest.mark.parametrize("name", corpus.HOSTILE)
async def test_hostile_content_is_refused(run: Pass, target: Path, name: str) -> None:
    content, code = corpus.HOSTILE[name]

    verdict = await run(content)

    assert isinstance(verdict, MediaRefusal)
    assert code == verdict.code
    assert verdict.detail.endswith(".")
    assert not target.exists()


@pytest.mark.parametrize("make", [corpus.jpeg, corpus.png, corpus.webp])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.97])
async def test_a_truncated_photo_is_refused(run: Pass, make: Callable[[], bytes], kept: float) -> None:
    content = make()

    verdict = await run(content[: int(len(content) * kept)])

    assert isinstance(verdict, MediaRefusal)
    assert verdict.code == "media_truncated"


def _oversized_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", "SECRET " * 400_000, zip=True)
    text.add_text("Comment", "SECRET " * 200_000)
    return _png(pnginfo=text)


def _oversized_profile() -> bytes:
    return _png(icc_profile=b"SECRET" + random.Random(5).randbytes(1_500_000))


def _png(**options: Any) -> bytes:
    made = io.BytesIO()
    corpus.gradient(320, 200).save(made, "PNG", **options)
    return made.getvalue()


def _with_bad_checksum(content: bytes, chunk: bytes) -> bytes:
    at = content.index(chunk)
    return content[: at + 8] + bytes([content[at + 8] ^ 0xFF]) + content[at + 9 :]


def _with_exif(tiff: bytes) -> bytes:
    body = b"Exif\x00\x00" + tiff
    plain = corpus.jpeg()
    return plain[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + plain[2:]


SOUND: dict[str, Callable[[], bytes]] = {
    "png with megabytes of text": _oversized_text,
    "png with a megabyte of nonsense as its profile": _oversized_profile,
    "png whose text has a wrong checksum": lambda: _with_bad_checksum(corpus.png(), b"tEXt"),
    "exif that is nothing": lambda: _with_exif(b""),
    "exif of another order": lambda: _with_exif(b"XX\x00*" + bytes(20)),
    "exif that points out of itself": lambda: _with_exif(b"II*\x00\xff\xff\xff\x7f"),
    "exif whose count is a lie": lambda: _with_exif(b"MM\x00*\x00\x00\x00\x08\xff\xff\x01\x12"),
    "exif that is random": lambda: _with_exif(b"II*\x00" + random.Random(6).randbytes(400)),
    "a profile that is random": lambda: (
        corpus.jpeg()[:2]
        + b"\xff\xe2\x02\x02ICC_PROFILE\x00\x01\x01"
        + random.Random(7).randbytes(498)
        + corpus.jpeg()[2:]
    ),
    "a second picture behind the first, as phones append": lambda: corpus.jpeg() + corpus.jpeg(),
}


@pytest.mark.parametrize("name", SOUND)
async def test_nothing_beside_the_pixels_decides_whether_a_photo_is_sound(
    run: Pass, target: Path, name: str
) -> None:
    verdict = await run(SOUND[name]())

    assert isinstance(verdict, Cleaned), verdict
    assert (verdict.width, verdict.height) == (320, 200)
    assert _colours(target) == ["red", "green", "blue", "white"]
    _assert_nothing_left(target, verdict)


async def test_a_photo_is_turned_upright_though_the_rest_of_its_exif_is_damaged(
    run: Pass, target: Path
) -> None:
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x09\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x01\x0f\xff\xff"

    verdict = await run(_with_exif(tiff))

    assert isinstance(verdict, Cleaned)
    assert (verdict.width, verdict.height) == (200, 320)
    assert _colours(target) == ["white", "red", "green", "blue"]


async def test_a_moving_picture_is_refused(run: Pass) -> None:
    made = io.BytesIO()
    corpus.gradient(40, 40).save(made, "WEBP", save_all=True, append_images=[Image.new("RGB", (40, 40))])

    verdict = await run(made.getvalue())

    assert isinstance(verdict, MediaRefusal)
    assert verdict.code == "media_type"


@pytest.mark.parametrize("kind", ["mp4", "mov"])
async def test_no_metadata_leaves_with_a_video(run: Pass, target: Path, tmp_path: Path, kind: str) -> None:
    content = corpus.quicktime_place(corpus.video(tmp_path / "made", kind=kind))
    assert corpus.LOCATION.encode() in content

    verdict = await run(content)

    assert isinstance(verdict, Cleaned)
    assert (verdict.type, verdict.width, verdict.height) == ("video/mp4", 320, 180)
    assert verdict.duration is not None
    assert abs(1.0 - verdict.duration) < 0.1
    _assert_nothing_left(target, verdict)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
async def test_no_message_of_the_encoder_leaves_inside_the_pictures(
    run: Pass, target: Path, tmp_path: Path, codec: str
) -> None:
    content = corpus.video(tmp_path / "made", codec=codec)

    verdict = await run(content)

    assert isinstance(verdict, Cleaned)
    _assert_nothing_left(target, verdict)
    assert _pictures(target) == _pictures(tmp_path / "made")


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
async def test_a_clean_video_is_left_as_it_is(run: Pass, target: Path, tmp_path: Path, codec: str) -> None:
    await run(corpus.video(tmp_path / "made", codec=codec))
    first = _packets(target, "video")

    await run(target.read_bytes())

    assert _packets(target, "video") == first


async def test_a_video_filmed_upright_has_its_shown_size(run: Pass, target: Path, tmp_path: Path) -> None:
    verdict = await run(corpus.turned(corpus.video(tmp_path / "made")))

    assert isinstance(verdict, Cleaned)
    assert (verdict.width, verdict.height) == (180, 320)
    with av.open(str(target)) as made:
        assert next(made.decode(video=0)).rotation == -90


async def test_pictures_and_sound_are_copied_not_coded_anew(run: Pass, target: Path, tmp_path: Path) -> None:
    content = corpus.video(tmp_path / "made")

    await run(content)

    assert _pictures(tmp_path / "made") == _pictures(target)
    assert _packets(tmp_path / "made", "audio") == _packets(target, "audio")


def _pictures(path: Path) -> list[bytes]:
    """The brightness of each picture, without the padding of its lines."""
    pictures = []
    with av.open(str(path)) as opened:
        for frame in opened.decode(video=0):
            plane = frame.planes[0]
            lines, step = bytes(plane), plane.line_size
            pictures.append(
                b"".join(lines[at * step : at * step + plane.width] for at in range(plane.height))
            )
    return pictures


def _packets(path: Path, kind: Literal["video", "audio"]) -> list[bytes]:
    with av.open(str(path)) as opened:
        return [bytes(packet) for packet in opened.demux(opened.streams.best(kind)) if packet.size]


async def test_a_video_starts_with_its_table_of_contents(run: Pass, target: Path, tmp_path: Path) -> None:
    await run(corpus.video(tmp_path / "made"))

    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


async def test_sound_in_mp3_is_taken(run: Pass, target: Path, tmp_path: Path) -> None:
    content = corpus.video(tmp_path / "made", sound="mp3")

    verdict = await run(content)

    assert isinstance(verdict, Cleaned)
    assert _packets(target, "audio") == _packets(tmp_path / "made", "audio")


async def test_a_truncated_video_is_refused(run: Pass, tmp_path: Path) -> None:
    content = corpus.video(tmp_path / "made")

    verdicts = [await run(content[: len(content) * kept // 10]) for kept in (3, 6, 9)]

    assert [verdict.code for verdict in verdicts if isinstance(verdict, MediaRefusal)] == [
        "media_truncated"
    ] * 3


async def test_sound_alone_is_refused(run: Pass, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "made"), "w", format="mp4") as made:
        tone = made.add_stream("aac", rate=44100)
        quiet = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        quiet.sample_rate, quiet.pts = 44100, 0
        for plane in quiet.planes:
            plane.update(bytes(plane.buffer_size))
        made.mux(tone.encode(quiet))
        made.mux(tone.encode(None))

    verdict = await run((tmp_path / "made").read_bytes())

    assert isinstance(verdict, MediaRefusal)
    assert verdict.code == "media_type"


async def test_a_photo_over_the_byte_limit_is_refused(tmp_path: Path, target: Path) -> None:
    (tmp_path / "source").write_bytes(corpus.jpeg())

    verdict = await make_safe(
        LocalSandbox(), tmp_path / "source", target, replace(MediaLimits(), photo_bytes=1000)
    )

    assert isinstance(verdict, MediaRefusal)
    assert verdict.code == "media_too_large"


async def test_a_pass_that_overruns_its_time_is_stopped(tmp_path: Path, target: Path) -> None:
    (tmp_path / "source").write_bytes(corpus.jpeg())

    verdict = await make_safe(
        LocalSandbox(), tmp_path / "source", target, replace(MediaLimits(), wall_seconds=0.001)
    )

    assert isinstance(verdict, MediaRefusal)
    assert verdict.code == "media_bomb"


async def test_a_pass_that_overruns_its_memory_is_refused(tmp_path: Path, target: Path) -> None:
    (tmp_path / "source").write_bytes(corpus.png(Image.new("RGB", (7000, 7000))))

    verdict = await make_safe(
        LocalSandbox(), tmp_path / "source", target, replace(MediaLimits(), resident_bytes=100 * 1024 * 1024)
    )

    assert isinstance(verdict, MediaRefusal)
    assert verdict.code == "media_bomb"


async def test_a_worker_without_a_verdict_is_our_failure(tmp_path: Path, target: Path) -> None:
    (tmp_path / "source").write_bytes(corpus.jpeg())
    absent = LocalSandbox(program="services.ingest.no_such_worker")

    with pytest.raises(WorkerFailed, match="ModuleNotFoundError"):
        await make_safe(absent, tmp_path / "source", target, MediaLimits())

    assert not target.exists()


@pytest.mark.parametrize(
    "name", ["DSCN0010.jpg", "DSCN0012.jpg", "Canon_40D.jpg", "35-empty.jpg", "image01137.jpg"]
)
async def test_camera_photos_pass_without_their_metadata(
    material: Path, run: Pass, target: Path, name: str
) -> None:
    verdict = await run((material / "photos" / name).read_bytes())

    assert isinstance(verdict, Cleaned)
    _assert_nothing_left(target, verdict)


@pytest.mark.parametrize(("name", "size"), [("portrait_6.jpg", (450, 600)), ("landscape_3.jpg", (600, 450))])
async def test_camera_photos_are_turned_upright(
    material: Path, run: Pass, name: str, size: tuple[int, int]
) -> None:
    verdict = await run((material / "photos" / name).read_bytes())

    assert isinstance(verdict, Cleaned)
    assert size == (verdict.width, verdict.height)


async def test_a_phone_photo_in_heif_becomes_a_jpeg(material: Path, run: Pass, target: Path) -> None:
    content = (material / "photos" / "samplefilehub.heif").read_bytes()

    verdict = await run(content)
    truncated = await run(content[: len(content) // 2])

    assert isinstance(verdict, Cleaned)
    assert (verdict.type, verdict.width, verdict.height) == ("image/jpeg", 640, 426)
    assert isinstance(truncated, MediaRefusal)
    assert truncated.code == "media_truncated"


async def test_a_real_video_keeps_its_pictures_and_loses_its_place(
    material: Path, run: Pass, target: Path
) -> None:
    source = material / "video" / "bigbuckbunny.mp4"

    verdict = await run(corpus.quicktime_place(source.read_bytes()))

    assert isinstance(verdict, Cleaned)
    assert (verdict.width, verdict.height) == (1280, 720)
    _assert_nothing_left(target, verdict)
    assert _pictures(source) == _pictures(target)
