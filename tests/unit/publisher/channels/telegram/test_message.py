import pytest

from services.publisher.channels.telegram.links import RemoteId
from services.publisher.channels.telegram.message import call_for, fits
from shared.events import Media
from tests.support.builders.posts import post


def photo(number: int = 0, **changes: object) -> Media:
    fields: dict[str, object] = {
        "sha256": f"{number:064x}",
        "type": "image/jpeg",
        "bytes": 1000,
        "width": 800,
        "height": 600,
    }
    return Media.model_validate(fields | changes)


VIDEO = photo(99, type="video/mp4", duration=5.2)


@pytest.mark.parametrize(
    ("media", "method"),
    [
        ((), "sendMessage"),
        ((photo(),), "sendPhoto"),
        ((VIDEO,), "sendVideo"),
        ((photo(), VIDEO), "sendMediaGroup"),
        ((photo(bytes=10_000_001),), "sendMessage"),
        ((photo(width=9000, height=1001),), "sendMessage"),
        ((photo(width=2100, height=100),), "sendMessage"),
        ((photo(1), photo(2, bytes=10_000_001)), "sendPhoto"),
    ],
)
def test_one_call_shows_what_telegram_takes(media: tuple[Media, ...], method: str) -> None:
    assert call_for(post(media=media), "@example").method == method


def test_what_telegram_does_not_take_is_left_to_the_link() -> None:
    media = tuple(photo(number) for number in range(12))

    call = call_for(post(media=media), "@example")

    assert [upload.media for upload in call.uploads] == list(media[:10])
    assert "Ardını oxuyun" in str(call.fields)


def test_a_larger_video_goes_through_a_bot_api_server_of_ones_own() -> None:
    video = photo(type="video/mp4", bytes=400_000_000)

    assert not fits(video)
    assert fits(video, video_bytes=2_000_000_000)


def test_the_preview_is_of_the_page_and_never_of_the_counting_link() -> None:
    assert call_for(post(), "@example").fields["link_preview_options"] == {"is_disabled": True}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1001/5", RemoteId("-1001", (5,))),
        ("-1001/5,6,7", RemoteId("-1001", (5, 6, 7))),
        ("https://t.me/example/12", RemoteId("@example", (12,))),
        ("https://t.me/c/1234567890/12", RemoteId("-1001234567890", (12,))),
        ("d7k2m4p6q8s2", None),
        ("https://example.org/x", None),
    ],
)
def test_an_address_that_a_person_gave_leads_to_the_message(text: str, expected: RemoteId | None) -> None:
    assert RemoteId.parse(text) == expected


def test_a_remote_id_survives_being_stored() -> None:
    where = RemoteId("-1001", (5, 6))

    assert RemoteId.parse(str(where)) == where
