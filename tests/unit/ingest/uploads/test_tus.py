"""What tus's headers mean, and which pieces are lost, as tables."""

import base64
import hashlib
from pathlib import Path

import pytest

from services.ingest.media_safety.model import ACCEPTED_TYPES, ADVICE
from services.ingest.uploads.cleanup import orphans
from services.ingest.uploads.protocol import (
    UploadLimits,
    UploadsHeld,
    parse_checksum,
    parse_metadata,
    require_length,
    require_quota,
    require_type,
    whole_number,
)
from shared.http.problems import Problem

LIMITS = UploadLimits(video_bytes=1000, photo_bytes=100)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_metadata_is_read_in_any_script() -> None:
    header = f"filename {encoded('şəkil фото 照片.jpg')}, filetype {encoded('image/jpeg')},flag"

    expected = {"filename": "şəkil фото 照片.jpg", "filetype": "image/jpeg", "flag": ""}
    assert parse_metadata(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "filename ***",
        "filename " + base64.b64encode(b"\xff\xfe").decode(),
        "a YQ==,a YQ==",
        "a " + "A" * 5000,
    ],
)
def test_unreadable_metadata_is_refused(header: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_metadata(header)

    assert (refused.value.status, refused.value.code) == (400, "upload_metadata")


@pytest.mark.parametrize("header", [None, "", "-1", "1.5", "abc", "٣", "9" * 30])
def test_a_length_must_be_announced(header: str | None) -> None:
    with pytest.raises(Problem) as refused:
        require_length(header, {}, LIMITS)

    assert (refused.value.status, refused.value.code) == (400, "upload_length")


@pytest.mark.parametrize(
    ("length", "filetype", "fits"),
    [
        (100, "image/png", True),
        (101, "image/png", False),
        (101, "IMAGE/PNG", False),
        (101, "video/mp4", True),
        (1000, "", True),
        (1001, "", False),
    ],
)
def test_photos_and_videos_have_their_limits(length: int, filetype: str, fits: bool) -> None:
    if fits:
        assert require_length(str(length), {"filetype": filetype}, LIMITS) == length
        return
    with pytest.raises(Problem) as refused:
        require_length(str(length), {"filetype": filetype}, LIMITS)

    assert (refused.value.status, refused.value.code) == (413, "media_too_large")


@pytest.mark.parametrize(
    ("header", "number"), [("0", 0), ("17", 17), ("+1", None), (" 1", None), (None, None)]
)
def test_whole_numbers_are_digits_alone(header: str | None, number: int | None) -> None:
    assert whole_number(header) == number


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_checksum_names_its_algorithm(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"abc").digest()

    checksum = parse_checksum(f"{algorithm} {base64.b64encode(digest).decode()}")

    assert checksum is not None
    assert (checksum.algorithm, checksum.digest) == (algorithm, digest)


@pytest.mark.parametrize(
    "header", ["md5 CY9rzUYh03PK3k6DJie09g==", "sha1", "sha1 ???", "sha1 YWJj", "sha256 "]
)
def test_other_checksums_are_refused(header: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_checksum(header)

    assert (refused.value.status, refused.value.code) == (400, "upload_checksum")


def test_a_body_needs_no_checksum() -> None:
    assert parse_checksum(None) is None


NAMES = ["0-aa", "0-bb", "10-aa", "20-cc"]


@pytest.mark.parametrize(
    ("row", "lost"),
    [
        (None, NAMES),
        ({"state": "gone", "offset": 30}, NAMES),
        ({"state": "clean", "offset": 30}, NAMES),
        ({"state": "receiving", "offset": 20, "parts": ["0-aa", "10-aa"]}, ["0-bb"]),
        ({"state": "receiving", "offset": 0, "parts": []}, []),
        ({"state": "complete", "offset": 30, "parts": ["0-bb", "10-aa", "20-cc"]}, ["0-aa"]),
    ],
)
def test_only_pieces_that_can_never_count_are_lost(row: dict[str, object] | None, lost: list[str]) -> None:
    assert orphans(row, NAMES) == lost


@pytest.mark.parametrize(
    ("held", "length", "newcomer", "fits"),
    [
        (UploadsHeld(0, 0, 0), 50, True, True),
        (UploadsHeld(0, 0, 0), 51, True, False),
        (UploadsHeld(0, 0, 40), 11, True, False),
        (UploadsHeld(2, 0, 0), 1, True, False),
        (UploadsHeld(2, 0, 0), 1, False, True),
        (UploadsHeld(5, 0, 0), 1, False, False),
        (UploadsHeld(1, 60, 60), 40, False, True),
        (UploadsHeld(1, 60, 60), 41, False, False),
        (UploadsHeld(0, 0, 200), 0, False, True),
        (UploadsHeld(0, 0, 200), 1, False, False),
    ],
)
def test_a_person_has_so_much_room_and_a_newcomer_less(
    held: UploadsHeld, length: int, newcomer: bool, fits: bool
) -> None:
    limits = UploadLimits(
        open_uploads=5, open_bytes=100, held_bytes=200, newcomer_uploads=2, newcomer_bytes=50
    )
    if fits:
        require_quota(held, length, limits, newcomer=newcomer)
        return
    with pytest.raises(Problem) as refused:
        require_quota(held, length, limits, newcomer=newcomer)

    assert (refused.value.status, refused.value.code) == (429, "upload_quota")
    assert "Retry-After" in (refused.value.headers or {})


@pytest.mark.parametrize(
    "told", [*ACCEPTED_TYPES, "", "application/octet-stream", "IMAGE/JPEG", "video/mp4; codecs=avc1"]
)
def test_a_file_of_a_type_that_the_page_offers_is_begun(told: str) -> None:
    require_type({"filetype": told})
    require_type({})


@pytest.mark.parametrize(
    "told",
    [
        "video/webm",
        "image/gif",
        "image/svg+xml",
        "text/html",
        "application/pdf",
        "audio/mpeg",
        "image/avif",
        "nonsense",
    ],
)
def test_a_file_of_any_other_type_is_refused_before_its_first_byte(told: str) -> None:
    with pytest.raises(Problem) as refused:
        require_type({"filetype": told})

    assert (refused.value.status, refused.value.code) == (415, "media_type")


def test_the_page_and_the_server_have_one_list_and_the_page_has_words_for_every_refusal() -> None:
    page = (Path(__file__).parents[4] / "services/ingest/web/form.html").read_text()

    assert 'accept="{{ accepted }}"' in page
    for code in (*ADVICE, "upload_quota"):
        assert f'data-why-{code.replace("_", "-")}="{{{{ _(' in page
