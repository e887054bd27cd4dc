from datetime import timedelta

import pytest

from services.publisher.channels.website.items import Item, newest_editions
from services.publisher.channels.website.paths import record
from shared.events import Snapshot
from tests.support.builders.posts import PLANNED, correction
from tests.support.builders.site_items import delivery, item


@pytest.mark.parametrize(
    ("body", "paragraphs"),
    [
        ("One.\n\nTwo.", ["One.", "Two."]),
        ("A line\nand its next\n\n\nTwo.", ["A line\nand its next", "Two."]),
        ("  indented\r\n\r\nمرحبا\u200f!", ["  indented", "مرحبا\u200f!"]),
        ("", []),
    ],
)
def test_a_text_is_kept_exactly_paragraph_by_paragraph(body: str, paragraphs: list[str]) -> None:
    assert item(body=body).paragraphs == paragraphs


def test_a_correction_keeps_its_date_and_says_when_it_was_made() -> None:
    first = delivery()
    earlier = Item.of(first, None)
    later = correction(first, "d-later")

    corrected = Item.of(later, earlier)

    assert corrected.published_at == earlier.published_at
    assert [each.revision for each in corrected.corrections] == [2]
    assert corrected.changed_at == later.planned_at
    assert corrected.path == earlier.path


def test_what_was_scheduled_is_dated_by_its_time() -> None:
    at = PLANNED + timedelta(days=3)

    assert item(publish_at=at).published_at == at


def test_each_page_shows_its_newest_revision() -> None:
    records = [
        record("abcdefghij", "az", 2, "later"),
        record("abcdefghij", "az", 1, "first"),
        record("abcdefghij", "tr", 1, "other"),
        "_items/stray.json",
    ]

    assert newest_editions(records) == {
        "az/abcdefghij/": records[0],
        "tr/abcdefghij/": records[2],
    }


def test_a_card_keeps_no_more_than_the_teaser() -> None:
    long = item(body="Sərgi açıldı. " * 200)

    assert len(long.card().body) <= 220
    assert long.card().path == long.path


def test_the_website_keeps_every_field_of_what_was_approved_but_where_and_when_it_goes() -> None:
    # the id is in the page's code, the others were planning's to follow
    elsewhere = {"submission_id", "channels", "publish_at"}

    assert set(Snapshot.model_fields) - set(Item.model_fields) == elsewhere
