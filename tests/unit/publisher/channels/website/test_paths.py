import pytest

from services.publisher.channels.website import paths


def test_a_pages_address_depends_on_submission_and_language_alone() -> None:
    assert paths.page(paths.code_of("s-1"), "az") == f"az/{paths.code_of('s-1')}/"
    assert paths.code_of("s-1") != paths.code_of("s-2")
    assert len(paths.code_of("s-1")) == 10


@pytest.mark.parametrize(
    ("tag", "fine"), [("az", True), ("az-Cyrl", True), ("../x", False), ("", False), ("a/b", False)]
)
def test_only_a_language_tag_may_stand_in_an_address(tag: str, fine: bool) -> None:
    assert paths.well_formed(tag) is fine


def test_a_record_can_be_read_back_from_its_path() -> None:
    path = paths.record("abcdefghij", "az-Cyrl", 3, "d7k2")

    assert paths.parse_record(path) == ("abcdefghij", "az-Cyrl", 3)
    assert paths.parse_record("az/abcdefghij/index.html") is None


def test_a_delivery_id_cannot_lead_out_of_the_records() -> None:
    assert ".." not in paths.record("abcdefghij", "az", 1, "../../evil")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("xalça", "tags/xalça/"),
        ("दिन", "tags/दिन/"),
        ("दान", "tags/दान/"),
        ("a/b", None),
        ("..", None),
        ("", None),
        ("x" * 200, None),
    ],
)
def test_a_hashtags_page_has_a_safe_name(key: str, path: str | None) -> None:
    assert paths.tag(key) == (path or f"tags/{paths.code_of(key)}/")


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("index.html", True),
        ("az/index.html", True),
        ("az/abcdefghij/index.html", True),
        ("az/tags/xalça/page/2/index.html", True),
        ("tags/index.html", True),
        ("az/feed.json", True),
        (f"media/{'0' * 64}-480.jpg", True),
        ("go/abcdefghij/index.html", False),
        ("assets/0123456789/site.css", False),
        ("_items/abcdefghij/az/00000001-d.json", False),
        (".well-known/security.txt", False),
        ("about.html", False),
    ],
)
def test_only_files_of_ours_may_be_swept_away(path: str, ours: bool) -> None:
    assert paths.ours(path) is ours
