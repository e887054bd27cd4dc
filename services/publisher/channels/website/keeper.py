"""Keeps the indexes true to what is published, however many processes publish and whichever of them are killed.

No lock and no order between processes is needed. Whoever changes what is published writes the indexes it is
on afterwards, from a listing taken after the change, and lists again after writing: when the listing has
changed meanwhile, it writes again. So the last one to write an index has written it from a listing that was
still true afterwards. A process that dies in between heals it when it starts again, because a start compares
every file.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from services.publisher.channels.website import feeds, paths
from services.publisher.channels.website.indexes import (
    FeedFiles,
    HashtagsFile,
    Index,
    ListingFile,
    MissingFile,
    Plan,
    RobotsFile,
    SitemapFile,
    differing,
    files,
    plan,
)
from services.publisher.channels.website.items import Item, newest_editions
from services.publisher.channels.website.pages import Masthead, SitePages
from services.publisher.channels.website.shelf import Shelf, media_files
from shared.concurrency.wake_up import woken

ROUNDS: Final = 20
"""Times in a row that others may get in between before the rest is left to the next round of the job."""
PAUSE: Final = 0.2
"""Seconds that changes are gathered before the indexes are written."""
BETWEEN_REBUILDS: Final = 600.0


class Keeper:
    """One process's keeper of the indexes."""

    def __init__(self, shelf: Shelf, pages: SitePages) -> None:
        self._shelf, self._pages = shelf, pages
        self._cards: dict[str, Item] = {}
        """Everything published, by record, with texts cut."""
        self._known: Plan = {}
        self._touched: dict[str, Item] = {}
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()

    def touch(self, *items: Item) -> None:
        """These items were put up or taken away by this process: have their indexes written soon."""
        self._touched |= {item.record: item.card() for item in items}
        self._changed.set()

    async def run(self) -> None:
        """Compare everything once, then keep it true, for ever."""
        await self.rebuild()
        while True:
            if not await woken(self._changed, BETWEEN_REBUILDS):
                await self.rebuild()
                continue
            await asyncio.sleep(PAUSE)
            await self.refresh()

    async def refresh(self) -> None:
        """Write the indexes that what changed since is on. Returns when they are true."""
        async with self._writing:
            self._changed.clear()
            touched, self._touched = self._touched, {}
            try:
                await self._settle(touched)
            except BaseException:
                self.touch(*touched.values())
                raise

    async def rebuild(self) -> None:
        """Compare every index, page and picture with what is published, and mend what differs."""
        async with self._writing:
            self._changed.clear()
            present = await self._shelf.files()
            shown = await self._load()
            await self._shelf.place_assets()
            await self._mend_pages(shown)
            await self._write(plan(self._pages.masthead, shown), set(self._known))
            self._known = plan(self._pages.masthead, shown)
            await self._sweep(present, shown)
            await self._settle({})

    async def used(self) -> set[str]:
        """The files of photos and videos that something published shows."""
        return {
            path
            for item in (await self._load()).values()
            for each in item.media
            for path in media_files(each)
        }

    async def _settle(self, touched: Mapping[str, Item]) -> None:
        for _ in range(ROUNDS):
            shown = await self._load()
            wanted, dirty = await asyncio.to_thread(
                _outdated, self._pages.masthead, self._known, shown, tuple(touched.values())
            )
            await self._write({path: wanted[path] for path in dirty if path in wanted}, dirty - wanted.keys())
            self._known = wanted
            if set(await self._shelf.records()) == set(self._cards):
                return
            touched = {}
        self._changed.set()

    async def _load(self) -> dict[str, Item]:
        """Everything published, by page."""
        records = await self._shelf.records()
        cards: dict[str, Item] = {}
        for record in records:
            known = self._cards.get(record)
            if known is None:
                item = await self._shelf.item(record)
                known = None if item is None else item.card()
            if known is not None:
                cards[record] = known
        self._cards = cards
        return {page: cards[record] for page, record in newest_editions(cards).items()}

    async def _write(self, wanted: Plan, gone: set[str]) -> None:
        for path, index in wanted.items():
            for file, content in (await self._render(path, index)).items():
                await self._shelf.write(file, content)
        for path in gone - wanted.keys():
            for file in files(path):
                await self._shelf.drop(file)

    async def _render(self, path: str, index: Index) -> Mapping[str, bytes]:
        pages, head = self._pages, self._pages.masthead
        match index:
            case ListingFile(listing, nav):
                return {path: pages.listing(listing, nav)}
            case HashtagsFile(tags, nav):
                return {path: pages.hashtags(tags, nav)}
            case MissingFile(nav):
                return {path: pages.missing(nav)}
            case SitemapFile(items):
                return {path: feeds.sitemap(head, items)}
            case RobotsFile():
                return {path: feeds.robots(head)}
            case FeedFiles(language, items):
                whole = [await self._shelf.item(item.record) for item in items]
                return feeds.feeds(head, language, [item for item in whole if item is not None])

    async def _mend_pages(self, shown: Mapping[str, Item]) -> None:
        """Write again the pages that are missing or look as in an earlier edition."""
        marker = self._pages.edition.encode()
        for code in {item.code for item in shown.values()}:
            versions = [item for item in shown.values() if item.code == code]
            found = [await self._shelf.read(paths.file_of(item.path)) for item in versions]
            if any(
                page is None or marker not in page or item.delivery_id.encode() not in page
                for item, page in zip(versions, found, strict=True)
            ):
                await self._shelf.show(code)

    async def _sweep(self, present: list[str], shown: Mapping[str, Item]) -> None:
        """Take away what a killed process left: files of ours, listed before the items, that nothing leads to."""
        wanted = {paths.file_of(page) for page in shown}
        wanted |= {file for path in self._known for file in files(path)}
        wanted |= await self.used()
        swept = {path for path in present if path not in wanted and paths.ours(path)}
        for path in sorted(swept):
            await self._shelf.drop(path)
        for item in (await self._load()).values():  # put up meanwhile, with a picture that was there already
            await self._shelf.place_media(m for m in item.media if not swept.isdisjoint(media_files(m)))


def _outdated(
    head: Masthead, known: Plan, shown: Mapping[str, Item], touched: Sequence[Item]
) -> tuple[Plan, set[str]]:
    """The indexes that there must be, and the files of those that this process must write.

    These are the ones that differ from what it wrote last, and those that the touched items are, or were, on: another
    process may have written them from an older listing.
    """
    wanted = plan(head, shown)
    dirty = differing(known, wanted)
    if touched:
        pages = {item.path: item for item in touched}
        without = {page: item for page, item in shown.items() if page not in pages}
        dirty |= differing(plan(head, without), plan(head, {**without, **pages}))
    return wanted, dirty
