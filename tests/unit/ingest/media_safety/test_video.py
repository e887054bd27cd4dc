"""A film's way through the pass: what is shown and heard leaves, and nothing else, whatever lies in the file."""

import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import av
import pytest

from services.ingest.media_safety.metadata_check import leaks
from services.ingest.media_safety.model import Cleaned, MediaLimits, MediaRefusal, Verdict
from services.ingest.media_safety.sandbox import LocalSandbox, make_safe
from tests.support.builders import films

Pass = Callable[[bytes], Awaitable[Verdict]]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "clean"


@pytest.fixture
def run(tmp_path: Path, target: Path) -> Pass:
    async def run(content: bytes) -> Verdict:
        (tmp_path / "source").write_bytes(content)
        return await make_safe(LocalSandbox(), tmp_path / "source", target, MediaLimits())

    return run


def codecs(path: Path) -> list[str]:
    with av.open(str(path)) as opened:
        return [stream.codec_context.codec.canonical_name for stream in opened.streams]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("trimmed", [False, True])
async def test_a_film_is_shown_the_same_way_up_as_it_came(
    run: Pass, target: Path, tmp_path: Path, degrees: int, trimmed: bool
) -> None:
    made = films.film(tmp_path / "made", sound=None)
    made.write_bytes(films.turned(made, degrees))
    if trimmed:
        made.write_bytes(films.cut(made, 0.25, 1.0))

    verdict = await run(made.read_bytes())

    assert isinstance(verdict, Cleaned), verdict
    assert (verdict.width, verdict.height) == ((180, 320) if degrees % 180 else (320, 180))
    with av.open(str(made)) as given, av.open(str(target)) as left:
        assert next(left.decode(video=0)).rotation == next(given.decode(video=0)).rotation


@pytest.mark.parametrize("tag", [b"hev1", b"hvc1"])
async def test_hevc_is_named_as_players_want_it(run: Pass, target: Path, tmp_path: Path, tag: bytes) -> None:
    content = films.film(tmp_path / "made", codec="libx265").read_bytes().replace(b"hev1", tag)

    verdict = await run(content)

    assert isinstance(verdict, Cleaned)
    assert b"hvc1" in target.read_bytes()
    assert b"hev1" not in target.read_bytes()
    assert films.shades(target) == films.shades(tmp_path / "made")


@pytest.mark.parametrize(
    ("start", "seconds", "shown"),
    [
        (0.0, 1.0, range(24)),
        (0.5, 1.0, range(12, 36)),
        (0.25, 1.0, range(6, 30)),
        (0.25, 1.75, range(6, 48)),
        (1.0, 0.125, range(24, 27)),
    ],
    ids=["the end", "both ends, at a key picture", "both ends", "the beginning", "almost all"],
)
@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "2"}], ids=["in order", "reordered"])
async def test_what_was_cut_off_does_not_leave(
    run: Pass,
    target: Path,
    tmp_path: Path,
    start: float,
    seconds: float,
    shown: range,
    options: dict[str, str],
) -> None:
    made = films.film(tmp_path / "made", options=options)
    content = films.cut(made, start, seconds)

    verdict = await run(content)

    assert isinstance(verdict, Cleaned), verdict
    assert films.shades(target) == list(shown)
    assert films.packets(target) == len(shown)
    assert verdict.duration == pytest.approx(seconds, abs=0.03)
    sound, original = films.heard(target), films.heard(made)[shown.start : shown.stop]
    assert sound[1 : len(shown) - 1] == pytest.approx(original[1:-1], abs=0.03)
    assert len(sound) <= len(shown) + 2


async def test_a_film_trimmed_to_deep_colours_keeps_them(run: Pass, target: Path, tmp_path: Path) -> None:
    made = films.film(tmp_path / "made", codec="libx265", sound=None)

    verdict = await run(films.cut(made, 0.25, 1.0))

    assert isinstance(verdict, Cleaned), verdict
    assert films.shades(target) == list(range(6, 30))
    content = target.read_bytes()
    assert leaks(io.BytesIO(content), "video/mp4", len(content)) == []
    assert [name for name in (b"x264", b"x265", b"Lavc", b"Lavf") if name in content] == []


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le", "pcm_alaw"])
@pytest.mark.parametrize("pictures", ["libx264", "libx265"])
async def test_uncompressed_sound_becomes_aac(
    run: Pass, target: Path, tmp_path: Path, codec: str, pictures: str
) -> None:
    made = films.film(tmp_path / "made", codec=pictures, sound=codec)

    verdict = await run(made.read_bytes())

    assert isinstance(verdict, Cleaned), verdict
    assert codecs(target) == ["h264" if pictures == "libx264" else "hevc", "aac"]
    assert films.shades(target) == list(range(48))
    assert films.heard(target)[1:47] == pytest.approx(films.heard(made)[1:47], abs=0.03)


async def test_a_track_that_nothing_here_can_decode_stays_behind(
    run: Pass, target: Path, tmp_path: Path
) -> None:
    content = films.film(tmp_path / "made").read_bytes()

    verdict = await run(content.replace(b"mp4a", b"zzzz").replace(b"esds", b"free"))

    assert isinstance(verdict, Cleaned), verdict
    assert codecs(target) == ["h264"]
    assert films.shades(target) == list(range(48))


@pytest.mark.parametrize(
    ("kind", "name"), [(b"zzzz", "zzzz"), (b"apch", "prores"), (b"\xff\xfe\x00\x01", "unknown")]
)
async def test_pictures_that_nobody_takes_are_refused_at_once_by_their_name(
    run: Pass, tmp_path: Path, kind: bytes, name: str
) -> None:
    content = films.film(tmp_path / "made").read_bytes()

    verdict = await run(content.replace(b"avc1", kind))

    assert isinstance(verdict, MediaRefusal)
    assert verdict.code == "media_type"
    assert name in verdict.detail


def unit(header: bytes, prefix: int = 4) -> bytes:
    body = header + b"SECRET unit"
    return len(body).to_bytes(prefix, "big") + body


PRIVATE = {
    "libx264": [bytes([kind]) for kind in (0, 6, 9, 12, 14, 16, 19, 20, 21, 24, 30, 31)],
    "libx265": [bytes([kind << 1, 1]) for kind in (10, 22, 35, 38, 39, 40, 41, 47, 48, 62, 63)]
    + [bytes([2 | 0, 1 | 1 << 3]), bytes([3, 1])],
    "libsvtav1": [bytes([kind << 3 | 2, 11 + 6]) for kind in (2, 5, 8, 9, 14, 15)],
}
"""Units of every kind that draws nothing: messages, private and reserved ones, padding, other layers."""


@pytest.mark.parametrize("codec", PRIVATE)
async def test_units_that_draw_nothing_stay_behind(
    run: Pass, target: Path, tmp_path: Path, codec: str
) -> None:
    made = films.film(tmp_path / "made", codec=codec, sound=None, kind="mp4")
    if codec == "libsvtav1":
        extra = b"".join(header + b"SECRET unit" + b"SECRET" for header in PRIVATE[codec])
        content = films.rewritten(made, lambda data: data + extra)
    else:
        extra = b"".join(unit(header) for header in PRIVATE[codec])
        content = films.rewritten(made, lambda data: extra + data)
    assert content.count(b"SECRET") > 100

    verdict = await run(content)

    assert isinstance(verdict, Cleaned), verdict
    assert b"SECRET" not in target.read_bytes()
    assert films.shades(target) == films.shades(made)
