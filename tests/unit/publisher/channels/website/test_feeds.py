import json
from xml.etree import ElementTree as ET

import feedparser

from services.publisher.channels.website.feeds import content, feeds, identity, robots, sitemap
from services.publisher.channels.website.items import Item
from shared.events import AiUse, Media
from tests.support.builders.posts import SITE, correction
from tests.support.builders.site_items import delivery, item, masthead

ATOM = "{http://www.w3.org/2005/Atom}"
PHOTO = Media(sha256="a" * 64, type="image/jpeg", bytes=1234, width=800, height=600, alt="Xalça")
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"


def test_the_three_feeds_tell_the_same() -> None:
    items = [item(2, title="İkinci & <son>", ai=AiUse(made=True)), item(1)]

    made = feeds(masthead(), "az", items)

    rss = ET.fromstring(made["az/feed.xml"])
    atom = ET.fromstring(made["az/atom.xml"])
    whole = json.loads(made["az/feed.json"])
    titles = [each.title for each in items]
    assert [each.findtext("title") for each in rss.iter("item")] == titles
    assert [each.findtext(f"{ATOM}title") for each in atom.iter(f"{ATOM}entry")] == titles
    assert [each["title"] for each in whole["items"]] == titles
    ids = [identity(each) for each in items]
    assert [each.findtext("guid") for each in rss.iter("item")] == ids
    assert [each.findtext(f"{ATOM}id") for each in atom.iter(f"{ATOM}entry")] == ids
    assert [each["id"] for each in whole["items"]] == ids
    assert "Süni intellektlə" in whole["items"][0]["content_html"]
    assert whole["items"][1]["content_text"] == items[1].body


def test_a_reader_of_feeds_finds_everything_and_each_feed_names_itself() -> None:
    items = [item(2, title="İkinci & <son>", media=(PHOTO,)), item(1)]

    made = feeds(masthead(), "az", items)

    for name in ("feed.xml", "atom.xml"):
        read = feedparser.parse(made[f"az/{name}"], sanitize_html=False, resolve_relative_uris=False)
        assert not read.bozo, read.get("bozo_exception")
        assert [each.href for each in read.feed.links if each.rel == "self"] == [f"{SITE}/az/{name}"]
        assert (read.feed.title, read.feed.link) == ("Irsin sesleri", f"{SITE}/az/")
        assert [each.title for each in read.entries] == [each.title for each in items]
        assert [each.summary for each in read.entries] == [each.summary for each in items]
        assert [each.link for each in read.entries] == [f"{SITE}/{each.path}" for each in items]
        assert [each.content[0].value for each in read.entries] == [content(each, SITE) for each in items]
        assert [{tag.term for tag in each.tags} for each in read.entries] == [
            set(each.hashtags) for each in items
        ]
        assert [each.published_parsed[:6] for each in read.entries] == [
            each.published_at.timetuple()[:6] for each in items
        ]
        (enclosure,) = read.entries[0].enclosures
        assert (enclosure.type, enclosure.length) == (PHOTO.type, str(PHOTO.bytes))
        assert PHOTO.sha256 in enclosure.href
    assert json.loads(made["az/feed.json"])["feed_url"] == f"{SITE}/az/feed.json"


def test_the_same_items_make_the_same_bytes() -> None:
    items = [item(1), item(2)]

    assert feeds(masthead(), "az", items) == feeds(masthead(), "az", items)


def test_a_correction_keeps_its_id_and_moves_its_update() -> None:
    first = delivery()
    earlier = Item.of(first, None)
    later = Item.of(correction(first, "d-later", title="Yeni"), earlier)

    assert identity(later) == identity(earlier)
    assert later.changed_at >= earlier.changed_at


def test_characters_that_xml_forbids_do_not_break_a_feed() -> None:
    made = feeds(masthead(), "az", [item(1, title="bell\x07 \ufffe", body="form\x0cfeed")])

    ET.fromstring(made["az/feed.xml"])
    ET.fromstring(made["az/atom.xml"])


def test_an_empty_feed_is_a_feed() -> None:
    made = feeds(masthead(), "en", [])

    assert ET.fromstring(made["en/feed.xml"]).findtext("channel/title") == "Voices of heritage"
    assert json.loads(made["en/feed.json"])["items"] == []


def test_the_sitemap_names_every_page() -> None:
    found = ET.fromstring(sitemap(masthead(), [item(1), item(2)]))

    locations = [each.text for each in found.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert locations == [f"{SITE}/{item(1).path}", f"{SITE}/{item(2).path}"]
    assert f"Sitemap: {SITE}/sitemap.xml" in robots(masthead()).decode()
