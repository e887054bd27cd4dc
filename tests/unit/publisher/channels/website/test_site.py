"""The website over a real folder: what is up, what is gone, and what killed processes leave."""

import asyncio
import json
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from services.publisher.channels.port import Absent, Post, Posted, Rejected, Removed, Unknown
from services.publisher.channels.website.adapter import Website
from services.publisher.channels.website.paths import file_of
from services.publisher.channels.website.site import Site
from shared.events import AiUse, Attribution
from shared.storage.media import MediaStore
from tests.support.builders.posts import PLANNED, SITE, correction, stored
from tests.support.builders.site_items import Page, campaign, delivery
from tests.support.processes import within


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(f"file://{tmp_path}")


@pytest.fixture
def site(store: MediaStore) -> Site:
    return Site(store, campaign(), SITE)


@pytest.fixture
def website(site: Site) -> Website:
    return Website("site", site)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "site"


def everything(folder: Path) -> dict[str, bytes]:
    """All files that the gateway serves."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if not path.relative_to(folder).parts[0].startswith("_")
    }


def read(folder: Path, path: str) -> Page:
    return Page((folder / file_of(path)).read_text())


def place(site: Site, post: Post) -> str:
    return unquote(urlsplit(site.page_url(post.snapshot.submission_id, post.language)).path).lstrip("/")


async def test_a_page_shows_what_was_approved(
    store: MediaStore, site: Site, website: Website, folder: Path
) -> None:
    picture = await stored(store, alt="Xalça naxışı")
    post = delivery(
        title="Başlıq <b> & «dırnaq»",
        body="Birinci sətir\nikinci sətir\n\nSon <script>alert(1)</script> abzas.",
        media=(picture,),
        ai=AiUse(made=True),
        attribution=Attribution(mode="pseudonym", text="Dağ"),
    )

    outcome = await website.commit(post, {})

    url = site.page_url(post.snapshot.submission_id, "az")
    assert outcome == Posted(url, url)
    page = read(folder, place(site, post))
    assert page.text("title") == page.text("h1") == ["Başlıq <b> & «dırnaq»"]
    paragraphs = page.text("p")
    assert "Birinci sətir\nikinci sətir" in paragraphs
    assert "Son <script>alert(1)</script> abzas." in paragraphs
    assert "Müəllif: Dağ" in page.text("bdi")
    assert "Süni intellektlə hazırlanıb" in paragraphs
    assert {"lang": "az", "dir": "ltr"} in page.all("html")
    [image] = [each for each in page.all("img") if each["alt"]]
    assert image["alt"] == "Xalça naxışı"
    assert (folder / image["src"].lstrip("/")).read_bytes() == await store.get(f"clean/{picture.sha256}")
    assert page.meta("og:url") == url
    assert page.meta("og:image") == f"{SITE}/media/{picture.sha256}.jpg"
    assert page.meta("konullu:delivery") == post.delivery_id


async def test_no_page_runs_or_asks_for_anything_from_elsewhere(
    store: MediaStore, site: Site, website: Website, folder: Path
) -> None:
    for number, language in enumerate(("az", "ar", "zh-Hant", "xx"), 1):
        await website.commit(delivery(number, language=language, media=(await stored(store),)), {})
    await site.lead("abcdefghij", f"{SITE}/az/", "az")
    await site.rebuild()

    for path in folder.rglob("*.html"):
        page = Page(path.read_text())
        assert not page.all("script")
        assert not page.all("style")
        assert not [
            each for _, each in page.elements if "style" in each or any(a.startswith("on") for a in each)
        ]
        fetched = [each.get("src", "") for tag in ("img", "video") for each in page.all(tag)]
        fetched += [each["href"] for each in page.all("link") if each["rel"] in {"stylesheet", "icon"}]
        assert all(link.startswith("/") and not link.startswith("//") for link in fetched)
        for link in fetched:
            assert (folder / unquote(urlsplit(link).path).lstrip("/")).is_file(), link


async def test_right_to_left_pages_run_right_to_left(website: Website, site: Site, folder: Path) -> None:
    post = delivery(language="ar", title="معرض السجاد", body="افتُتح المعرض اليوم.")

    await website.commit(post, {})

    assert {"lang": "ar", "dir": "rtl"} in read(folder, place(site, post)).all("html")


async def test_versions_name_each_other_and_no_others(website: Website, site: Site, folder: Path) -> None:
    first = delivery(1)
    second = replace(delivery(1, language="tr", title="Halı sergisi"), delivery_id="d-tr")
    await website.commit(first, {})
    alone = read(folder, place(site, first))
    await website.commit(second, {})

    def versions(page: Page) -> list[str]:
        return [each["hreflang"] for each in page.all("link") if "hreflang" in each]

    assert versions(alone) == ["az"]
    assert versions(read(folder, place(site, first))) == ["az", "tr"]
    assert versions(read(folder, place(site, second))) == ["az", "tr"]

    await website.remove(second, "")

    assert versions(read(folder, place(site, first))) == ["az"]


async def test_an_earlier_revision_that_was_decided_later_takes_the_place(
    website: Website, site: Site, folder: Path
) -> None:
    earlier = delivery(1, title="Əvvəlki")
    later = replace(correction(earlier, "d-later", title="Sonrakı"), edition=4)
    back = replace(earlier, edition=6)
    await website.commit(later, {})

    await website.commit(back, {})

    assert "Əvvəlki" in " ".join(read(folder, place(site, back)).text("h1"))
    assert isinstance(await website.read_back(back, ""), Posted)
    assert isinstance(await website.read_back(later, ""), Absent)


async def test_a_correction_takes_the_place_and_says_so(website: Website, site: Site, folder: Path) -> None:
    first = delivery(1, title="Köhnə")
    later = replace(correction(first, "d-later", title="Yeni"), planned_at=PLANNED + timedelta(days=2))
    await website.commit(first, {})
    await website.commit(later, {})
    await site.drain()

    page = read(folder, place(site, first))
    assert page.text("h1") == ["Yeni"]
    assert "Düzəliş edilib: 6 may 2026" in page.text("strong")
    assert await website.read_back(later, "") == Posted(*[site.page_url("submission-1", "az")] * 2)
    assert await website.read_back(first, "") == Absent()
    assert not [path for path, content in everything(folder).items() if "Köhnə".encode() in content]

    assert isinstance(await website.remove(later, ""), Removed)
    assert not (folder / file_of(place(site, first))).exists()


async def test_removing_leaves_no_trace_but_other_peoples_pictures(
    store: MediaStore, site: Site, website: Website, folder: Path
) -> None:
    shared, own = await stored(store, colour="red"), await stored(store, colour="green")
    gone = delivery(1, title="Gedən", media=(shared, own), hashtags=("bir",))
    stays = delivery(2, title="Qalan", media=(shared,), hashtags=("iki",))
    for post in (gone, stays):
        await website.commit(post, {})
    await site.drain()

    outcome = await website.remove(gone, "")

    assert isinstance(outcome, Removed)
    left = everything(folder)
    assert not [path for path, content in left.items() if "Gedən".encode() in content]
    assert not [path for path in left if own.sha256 in path or "tags/bir" in path]
    assert f"media/{shared.sha256}.jpg" in left
    assert isinstance(await website.remove(gone, ""), Removed)
    assert await website.read_back(gone, "") == Absent()
    assert isinstance(await website.read_back(stays, ""), Posted)


async def test_repeating_a_commit_changes_nothing(
    store: MediaStore, site: Site, website: Website, folder: Path
) -> None:
    post = delivery(1, media=(await stored(store),))
    await website.commit(post, {})
    await site.drain()
    before = everything(folder)

    await website.commit(post, {})
    await site.rebuild()

    assert everything(folder) == before


async def test_what_was_never_committed_is_absent(website: Website) -> None:
    assert await website.reconcile(delivery(), {}) == Absent()
    assert await website.read_back(delivery(), "") == Absent()


async def test_what_was_only_begun_is_taken_away_and_absent(
    store: MediaStore, site: Site, website: Website, folder: Path
) -> None:
    post = delivery(1, media=(await stored(store),))
    await website.commit(post, {})
    (folder / file_of(place(site, post))).unlink()

    assert await website.reconcile(post, {}) == Absent()
    assert await site.looks(post) is False
    assert not list((folder / "_items").rglob("*.json"))


async def test_a_page_whose_picture_is_lost_is_not_believed(
    store: MediaStore, website: Website, folder: Path
) -> None:
    picture = await stored(store)
    post = delivery(1, media=(picture,))
    await website.commit(post, {})
    (folder / f"media/{picture.sha256}.jpg").unlink()

    assert await website.read_back(post, "") == Absent()
    assert isinstance(await website.commit(post, {}), Posted)
    assert isinstance(await website.read_back(post, ""), Posted)


async def test_media_that_are_missing_leave_the_outcome_unknown(store: MediaStore, website: Website) -> None:
    lost = (await stored(store)).model_copy(update={"sha256": "f" * 64})

    outcome = await website.commit(delivery(1, media=(lost,)), {})

    assert isinstance(outcome, Unknown)
    assert outcome.code == "media_missing"


async def test_a_language_that_cannot_be_an_address_is_rejected(website: Website) -> None:
    post = replace(delivery(), language="../x")

    assert isinstance(await website.commit(post, {}), Rejected)


async def test_the_short_links_stand_in_leads_on(site: Site, folder: Path) -> None:
    target = f"{SITE}/az/abcdefghij/"

    await site.lead("q2w3e4r5t6", target, "az")

    page = read(folder, "go/q2w3e4r5t6/")
    assert {"http-equiv": "refresh", "content": f"0; url={target}"} in page.all("meta")
    assert page.meta("robots") == "noindex"
    assert target in [each["href"] for each in page.all("a")]


async def test_feeds_and_fronts_follow_what_is_published(site: Site, website: Website, folder: Path) -> None:
    for number in (1, 2, 3):
        await website.commit(delivery(number, title=f"Başlıq {number}"), {})
    await site.drain()

    feed = json.loads((folder / "az/feed.json").read_text())
    assert [each["title"] for each in feed["items"]] == ["Başlıq 3", "Başlıq 2", "Başlıq 1"]
    assert feed["items"][0]["content_text"] == delivery(3).snapshot.body
    assert [text for text in read(folder, "az/").text("h2") if text.startswith("B")] == [
        "Başlıq 3",
        "Başlıq 2",
        "Başlıq 1",
    ]


async def test_the_keeper_writes_indexes_by_itself(site: Site, website: Website, folder: Path) -> None:
    keeping = asyncio.create_task(site.keep())
    await website.commit(delivery(1), {})

    async with within(10):
        while (
            not (folder / "az/feed.json").exists()
            or not json.loads((folder / "az/feed.json").read_text())["items"]
        ):
            await asyncio.sleep(0.02)

    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


@pytest.mark.parametrize("seed", range(4))
async def test_many_processes_at_once_end_with_true_indexes(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = MediaStore(f"file://{tmp_path}")
    picture = await stored(store)
    sites = [Site(store, campaign(), SITE) for _ in range(3)]
    posts = [
        delivery(number, media=(picture,) * (number % 2), hashtags=(f"t{number % 3}",))
        for number in range(1, 13)
    ]
    removed = set(chance.sample(range(12), 5))

    async def life(index: int, post: Post) -> None:
        first, second = chance.choice(sites), chance.choice(sites)
        await asyncio.sleep(chance.random() / 20)
        assert isinstance(await Website("site", first).commit(post, {}), Posted)
        if index in removed:
            assert isinstance(await Website("site", second).remove(post, ""), Removed)

    await asyncio.gather(
        *(life(index, post) for index, post in enumerate(posts)), *(site.drain() for site in sites)
    )
    for site in sites:
        await site.drain()
    settled = everything(tmp_path / "site")

    fresh = Site(store, campaign(), SITE)
    await fresh.rebuild()

    assert everything(tmp_path / "site") == settled
    for index, post in enumerate(posts):
        assert await fresh.looks(post) is (index not in removed)


class KilledError(BaseException):
    """Stands for the end of the process at this point."""


class Mortal(MediaStore):
    """A store whose process is ended at its n-th change, before or after it."""

    def __init__(self, url: str, lives: int, *, after: bool) -> None:
        super().__init__(url)
        self.lives, self.after = lives, after

    async def put(self, path: str, data: object) -> None:
        self._die(self.after is False)
        await super().put(path, data)  # type: ignore[arg-type]
        self._die(self.after)

    async def delete(self, path: str) -> None:
        self._die(self.after is False)
        await super().delete(path)
        self._die(self.after)

    def _die(self, here: bool) -> None:
        self.lives -= here
        if self.lives < 0 and here:
            raise KilledError


@pytest.mark.parametrize("after", [False, True])
async def test_wherever_a_process_is_killed_a_restart_and_a_repetition_make_it_whole(
    tmp_path: Path, after: bool
) -> None:
    url = f"file://{tmp_path}/killed"
    store, calm = MediaStore(url), MediaStore(f"file://{tmp_path}/calm")
    pictures = [await stored(each) for each in (store, calm)]
    stays, goes = delivery(1, media=(pictures[0],)), delivery(2, media=(pictures[0],), hashtags=("gedən",))
    calm_site = Site(calm, campaign(), SITE)
    await Website("site", calm_site).commit(stays, {})
    await calm_site.rebuild()

    deaths = 0
    for lives in range(int(after) * 3, 60, 6):
        mortal = Site(Mortal(url, lives, after=after), campaign(), SITE)
        try:
            for step in (Website("site", mortal).commit(stays, {}), Website("site", mortal).commit(goes, {})):
                await step
            await mortal.drain()
            await Website("site", mortal).remove(goes, "")
        except KilledError:
            deaths += 1
        reborn = Site(store, campaign(), SITE)
        await reborn.rebuild()
        if await Website("site", reborn).reconcile(goes, {}) != Absent():
            assert isinstance(await Website("site", reborn).remove(goes, ""), Removed)
        if await Website("site", reborn).reconcile(stays, {}) == Absent():
            await Website("site", reborn).commit(stays, {})
        await reborn.drain()

        assert everything(tmp_path / "killed/site") == everything(tmp_path / "calm/site")
        for file in (tmp_path / "killed/site").rglob("*"):
            if file.is_file():
                file.unlink()
    assert deaths > 4
