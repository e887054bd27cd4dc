"""The website's files in the object store, one atomic write each."""

import asyncio
import io
from collections.abc import Iterable, Mapping

from PIL import Image

from services.publisher.channels.website import paths
from services.publisher.channels.website.items import Item, newest_editions
from services.publisher.channels.website.pages import SitePages
from shared.events import Media
from shared.storage.media import CLEAN, SITE, MediaStore


class Shelf:
    """Reads and writes below `site/`. Paths are relative to the site's root."""

    def __init__(self, store: MediaStore, pages: SitePages) -> None:
        self._store, self._pages = store, pages

    async def files(self, prefix: str = "") -> list[str]:
        """The paths of all files below a prefix."""
        return [path.removeprefix(SITE) for path in await self._store.list(f"{SITE}{prefix}")]

    async def read(self, path: str) -> bytes | None:
        """A file, if it is there."""
        try:
            return await self._store.get(f"{SITE}{path}")
        except FileNotFoundError:
            return None

    async def write(self, path: str, content: bytes) -> None:
        """Put a file in place, unless it is there already with this content."""
        if await self.read(path) != content:
            await self._store.put(f"{SITE}{path}", content)

    async def drop(self, path: str) -> None:
        """Take a file away, if it is there."""
        await self._store.delete(f"{SITE}{path}")

    async def is_there(self, path: str) -> bool:
        """Whether a file is there."""
        return await self._store.size(f"{SITE}{path}") is not None

    async def records(self, code: str = "") -> list[str]:
        """The records of one submission, or of all."""
        found = await self.files(f"{paths.ITEMS}{code}")
        return [path for path in found if paths.parse_record(path) is not None]

    async def item(self, record: str) -> Item | None:
        """What a record says, if it is there."""
        content = await self.read(record)
        return None if content is None else Item.model_validate_json(content)

    async def shown(self, code: str) -> dict[str, Item]:
        """What there is to show of one submission: an item per page."""
        found: dict[str, Item] = {}
        for page, record in newest_editions(await self.records(code)).items():
            item = await self.item(record)
            if item is not None:
                found[page] = item
        return found

    async def show(self, code: str) -> dict[str, Item]:
        """Write the submission's pages in all its languages; what they show."""
        shown = await self.shown(code)
        for page, item in shown.items():
            await self.write(paths.file_of(page), self._pages.story(item, list(shown.values())))
        return shown

    async def place_assets(self) -> None:
        """Put styles and mark in place."""
        for path, content in self._pages.assets.items():
            if not await self.is_there(path):
                await self._store.put(f"{SITE}{path}", content)

    async def place_media(self, media: Iterable[Media]) -> None:
        """Copy photos and videos as they were approved, and photos in narrower widths.

        Raises `FileNotFoundError` when one is not in the store.
        """
        for each in media:
            target = f"{SITE}{paths.media(each.sha256, each.type)}"
            if await self._store.size(target) != each.bytes:
                await self._store.copy(f"{CLEAN}{each.sha256}", target)
            if each.type.startswith("image/"):
                await self._place_renditions(each)

    async def drop_media(self, media: Iterable[Media]) -> None:
        """Take photos and videos away, in all widths."""
        for each in media:
            for path in media_files(each):
                await self.drop(path)

    async def _place_renditions(self, media: Media) -> None:
        wanted = paths.narrower(media.width, media.height)
        missing = [w for w in wanted if not await self.is_there(paths.rendition(media.sha256, w))]
        if missing:
            content = await self._store.get(f"{CLEAN}{media.sha256}")
            for width, rendered in (await asyncio.to_thread(renditions, content, missing)).items():
                await self._store.put(f"{SITE}{paths.rendition(media.sha256, width)}", rendered)


def media_files(media: Media) -> list[str]:
    """All files that show one photo or video."""
    own = paths.media(media.sha256, media.type)
    if not media.type.startswith("image/"):
        return [own]
    return [own, *(paths.rendition(media.sha256, width) for width in paths.WIDTHS)]


def renditions(content: bytes, widths: Iterable[int]) -> Mapping[int, bytes]:
    """A photo as JPEG in the given widths, without metadata; as it is where it can't be decoded."""
    try:
        return {width: _narrowed(content, width) for width in widths}
    except (OSError, ValueError, Image.DecompressionBombError):
        return dict.fromkeys(widths, content)


def _narrowed(content: bytes, width: int) -> bytes:
    with Image.open(io.BytesIO(content), formats=["JPEG", "PNG", "WEBP"]) as opened:
        size = (width, max(1, round(opened.height * width / opened.width)))
        opened.draft("RGB", size)  # lets a JPEG be decoded small
        flat = _on_white(opened) if opened.mode in {"RGBA", "LA", "PA", "P"} else opened.convert("RGB")
        buffer = io.BytesIO()
        flat.resize(size, Image.Resampling.LANCZOS).save(
            buffer, "JPEG", quality=82, progressive=True, exif=b""
        )
        return buffer.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    opaque = image.convert("RGBA")
    ground = Image.new("RGBA", opaque.size, "white")
    ground.alpha_composite(opaque)
    return ground.convert("RGB")
