from services.publisher.channels.website.indexes import PAGE, FeedFiles, ListingFile, differing, files, plan
from services.publisher.channels.website.items import Item
from tests.support.builders.site_items import item, masthead, shown


def listing(items: dict[str, Item], path: str) -> list[int]:
    """The numbers of the items on a page, newest first."""
    index = plan(masthead(), items)[path]
    assert isinstance(index, ListingFile)
    return [int(each.delivery_id[1:]) for each in index.listing.items]


def test_every_language_has_a_front_even_before_anything_is_published() -> None:
    made = plan(masthead(), {})

    assert {
        "index.html",
        "az/index.html",
        "en/index.html",
        "404.html",
        "sitemap.xml",
        "robots.txt",
    } <= made.keys()


def test_an_item_is_on_the_fronts_and_hashtags_of_its_language_and_of_all() -> None:
    one, other = item(1, hashtags=("Xalça",)), item(2, language="ka", hashtags=("XALÇA",))
    items = shown(one, other)

    assert listing(items, "index.html") == [2, 1]
    assert listing(items, "az/index.html") == [1]
    assert listing(items, "ka/index.html") == [2]
    assert listing(items, "tags/xalça/index.html") == [2, 1]
    assert listing(items, "az/tags/xalça/index.html") == [1]
    feed = plan(masthead(), items)["ka/feed.xml"]
    assert isinstance(feed, FeedFiles)
    assert [each.code for each in feed.items] == [other.code]


def test_archives_are_full_and_every_item_is_listed_once() -> None:
    for count in (1, PAGE, 2 * PAGE - 1, 2 * PAGE, 5 * PAGE + 7):
        items = shown(*(item(number, hashtags=()) for number in range(1, count + 1)))
        made = plan(masthead(), items)
        pages = [path for path in made if path == "index.html" or path.startswith("page/")]
        numbers = [number for path in pages for number in listing(items, path)]

        assert sorted(numbers) == list(range(1, count + 1))
        assert all(len(listing(items, path)) == PAGE for path in pages if path != "index.html")
        assert len(listing(items, "index.html")) < 2 * PAGE + 1


def test_a_new_item_leaves_full_archives_alone() -> None:
    many = [item(number) for number in range(1, 4 * PAGE + 1)]

    changed = differing(plan(masthead(), shown(*many)), plan(masthead(), shown(*many, item(4 * PAGE + 1))))

    assert not [path for path in changed if "page/" in path]
    assert {"index.html", "az/index.html", "az/feed.xml", "sitemap.xml"} <= changed


def test_an_item_that_goes_takes_its_hashtag_with_it() -> None:
    one, other = item(1, hashtags=("a",)), item(2, hashtags=("b",))

    before, after = plan(masthead(), shown(one, other)), plan(masthead(), shown(one))

    assert "tags/b/index.html" in differing(before, after)
    assert "tags/b/index.html" not in after


def test_a_feed_stands_for_three_files() -> None:
    assert files("az/feed.xml") == ("az/feed.xml", "az/atom.xml", "az/feed.json")
    assert files("az/index.html") == ("az/index.html",)
