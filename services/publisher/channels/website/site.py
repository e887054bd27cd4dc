"""The campaign's own website: static pages in many languages, written into the object store, served by anybody.

What is published is one immutable record per delivery; pages, fronts, hashtags, feeds and the sitemap follow
from the records and can be rebuilt from them at any time.

    site = Site(store, campaign, settings.public_url)
    jobs = {"site": site.keep}          # once per process
    await site.lead(code, target, language)      # before any commit: the short link's static stand-in
"""

from typing import Final

from services.publisher.channels.port import Post
from services.publisher.channels.website import paths
from services.publisher.channels.website.items import Item
from services.publisher.channels.website.keeper import Keeper
from services.publisher.channels.website.pages import Masthead, SitePages
from services.publisher.channels.website.shelf import Shelf
from shared.campaign.model import Campaign
from shared.storage.media import MediaStore
from shared.text.hashtags import comparison_key

__all__ = ["Lingering", "Site", "marker", "masthead_of"]

_FEEDS: Final = ("feed.xml", "atom.xml", "feed.json")


def masthead_of(campaign: Campaign, public_url: str) -> Masthead:
    """Whose website it is, by the campaign file."""
    return Masthead(
        name=campaign.name,
        about=campaign.about,
        public_url=public_url.rstrip("/"),
        languages=tuple(campaign.languages),
    )


class Site:
    """The website. Raises what the store raises: `Unavailable`, `StorageFull`, `FileNotFoundError` for lost media."""

    def __init__(self, store: MediaStore, campaign: Campaign, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._pages = SitePages(masthead_of(campaign, public_url))
        self._shelf = Shelf(store, self._pages)
        self._keeper = Keeper(self._shelf, self._pages)
        self._dressed = False

    def page_url(self, submission_id: str, language: str) -> str:
        """Where a submission's page is, or will be; the same through all corrections."""
        return paths.url(self._public_url, paths.page(paths.code_of(submission_id), language))

    async def lead(self, code: str, target: str, language: str | None = None) -> None:
        """Write the page that stands in for the short link `code` when nobody can count."""
        await self._dress()
        await self._shelf.write(paths.file_of(paths.redirect(code)), self._pages.moving(target, language))

    async def keep(self) -> None:
        """Keep the indexes true, for ever; one per process."""
        await self._keeper.run()

    async def drain(self) -> None:
        """Return when the indexes show all that this process put up or took away."""
        await self._keeper.refresh()

    async def rebuild(self) -> None:
        """Compare everything with what is published, and mend it."""
        await self._keeper.rebuild()

    async def publish(self, post: Post) -> str:
        """Put a delivery's page up, in place of an earlier decision's; its public address. May be repeated."""
        await self._dress()
        code, record = paths.code_of(post.snapshot.submission_id), _record(post)
        page = paths.page(code, post.language)
        item = await self._shelf.item(record)
        earlier = (await self._shelf.shown(code)).get(page)
        if item is None:
            item = Item.of(post, earlier if earlier and earlier.order < _order(post) else None)
            await self._shelf.write(record, item.model_dump_json().encode())
        await self._shelf.place_media(item.media)
        await self._shelf.show(code)
        replaced = [old for old in await self._older(item) if old.record != record]
        for old in replaced:
            await self._shelf.drop(old.record)
        self._keeper.touch(item, *replaced)
        return self.page_url(post.snapshot.submission_id, post.language)

    async def looks(self, post: Post) -> bool | None:
        """Whether the delivery's page is up and whole; `None` when only traces of it are there."""
        code = paths.code_of(post.snapshot.submission_id)
        item = await self._shelf.item(_record(post))
        page = await self._shelf.read(paths.file_of(paths.page(code, post.language)))
        on_page = page is not None and marker(post) in page
        if item is None and not on_page:
            return False
        media = [await self._shelf.is_there(paths.media(m.sha256, m.type)) for m in post.snapshot.media]
        return True if item is not None and on_page and all(media) else None

    async def withdraw(self, post: Post) -> str:
        """Take a delivery away from pages, indexes, feeds and media, and look that it is gone; the proof.

        Raises `Lingering` when something of it is still there.
        """
        code, record = paths.code_of(post.snapshot.submission_id), _record(post)
        page = paths.page(code, post.language)
        item = await self._shelf.item(record)
        await self._shelf.drop(record)
        shown = await self._shelf.show(code)
        if page not in shown:
            await self._shelf.drop(paths.file_of(page))
        await self._drop_unused_media(post)
        if item is None:  # taken away before, by a process that may have died right after
            await self._keeper.rebuild()
        else:
            self._keeper.touch(item)
            await self._keeper.refresh()
        left = await self._left(post, gone=page not in shown)
        if left:
            raise Lingering(left)
        return f"{paths.url(self._public_url, page)} and its entries in indexes, feeds and media were read and are gone"

    async def reachable(self) -> None:
        """Return when the website's files can be read."""
        await self._shelf.is_there("index.html")

    async def _dress(self) -> None:
        if not self._dressed:
            await self._shelf.place_assets()
            self._dressed = True

    async def _older(self, item: Item) -> list[Item]:
        found: list[Item] = []
        for record in await self._shelf.records(item.code):
            parsed = paths.parse_record(record)
            if parsed is not None and parsed[1] == item.language and parsed[2] < item.order:
                old = await self._shelf.item(record)
                found += [] if old is None else [old]
        return found

    async def _drop_unused_media(self, post: Post) -> None:
        media = post.snapshot.media
        used = await self._keeper.used()
        await self._shelf.drop_media(m for m in media if paths.media(m.sha256, m.type) not in used)
        used = await self._keeper.used()
        # Somebody may have put up another item with the same picture meanwhile.
        await self._shelf.place_media(m for m in media if paths.media(m.sha256, m.type) in used)

    async def _left(self, post: Post, *, gone: bool) -> list[str]:
        """What still shows the delivery."""
        code, language = paths.code_of(post.snapshot.submission_id), post.language
        page = paths.file_of(paths.page(code, language))
        left = [path for path in (_record(post),) if await self._shelf.is_there(path)]
        if marker(post) in (await self._shelf.read(page) or b""):
            left.append(page)
        if not gone:
            return left
        tags = [comparison_key(tag, language) for tag in post.snapshot.hashtags]
        fronts = [paths.front(None), paths.front(language)]
        fronts += [paths.tag(key, each) for key in tags for each in (None, language)]
        indexes = [*map(paths.file_of, fronts), *(f"{language}/{feed}" for feed in _FEEDS), "sitemap.xml"]
        entry = paths.page(code, language).encode()
        return left + [path for path in indexes if entry in (await self._shelf.read(path) or b"")]


class Lingering(Exception):
    """Something of a delivery is still to be seen after it was taken away."""

    def __init__(self, left: list[str]) -> None:
        super().__init__(f"still there: {', '.join(left)}")


def _record(post: Post) -> str:
    code = paths.code_of(post.snapshot.submission_id)
    return paths.record(code, post.language, _order(post), post.delivery_id)


def _order(post: Post) -> int:
    return post.edition or post.revision


def marker(post: Post) -> bytes:
    """What a delivery's page carries and no other does."""
    return f'<meta name="konullu:delivery" content="{post.delivery_id}">'.encode()
