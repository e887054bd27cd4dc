"""Where everything of the public website lies, relative to its root. Pure.

A page's address is derived from the submission and the language alone, so that it is known before anything is
written, stays the same through corrections, and short links and partners may carry it.
"""

import re
from typing import Final
from urllib.parse import quote

from shared.text.hashtags import belongs
from shared.text.short_codes import short_code

ITEMS: Final = "_items/"
"""Records of what is published: the source of every index. The gateway does not serve them."""
MEDIA: Final = "media/"
WIDTHS: Final = (480, 1200)
"""Widths, in pixels, in which a photo is offered besides its own."""
LARGEST_DECODED: Final = 60_000_000
"""Pixels; larger photos are offered in their own size alone."""
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*")
_EXTENSIONS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "video/mp4": "mp4"}
_SLUG_BYTES: Final = 120
_RECORD: Final = re.compile(r"^_items/([a-z2-7]+)/([A-Za-z0-9-]+)/(\d+)-([a-z0-9-]+)\.json$")


def well_formed(language: str) -> bool:
    """Whether `language` may stand in an address."""
    return _LANGUAGE.fullmatch(language) is not None


def code_of(submission_id: str) -> str:
    """The last part of a page's address: 50 bits of SHA-256(submission id), base32, lower case."""
    return short_code(submission_id)


def page(code: str, language: str) -> str:
    """A submission's page in one language."""
    return f"{language}/{code}/"


def file_of(path: str) -> str:
    """The object that a server shows at `path`."""
    return f"{path}index.html" if path == "" or path.endswith("/") else path


def record(code: str, language: str, edition: int, delivery_id: str) -> str:
    """The record of one delivery to the website."""
    safe = delivery_id if re.fullmatch(r"[a-z0-9-]{1,64}", delivery_id) else code_of(delivery_id)
    return f"{ITEMS}{code}/{language}/{edition:08d}-{safe}.json"


def parse_record(path: str) -> tuple[str, str, int] | None:
    """The code, language and edition in a record's path; `None` for another file."""
    match = _RECORD.match(path)
    return None if match is None else (match[1], match[2], int(match[3]))


def media(sha256_hex: str, media_type: str) -> str:
    """A photo or video as it was approved."""
    return f"{MEDIA}{sha256_hex}.{_EXTENSIONS[media_type]}"


def narrower(width: int, height: int) -> list[int]:
    """The widths in which a photo of this size is offered besides its own."""
    return [each for each in WIDTHS if each < width] if width * height <= LARGEST_DECODED else []


def rendition(sha256_hex: str, width: int) -> str:
    """A photo, narrower."""
    return f"{MEDIA}{sha256_hex}-{width}.jpg"


def redirect(code: str) -> str:
    """The page that stands in for a short link."""
    return f"go/{code}/"


def tag(key: str, language: str | None = None) -> str:
    """The page of a hashtag by its comparison key, over all languages or in one. Distinct keys have distinct pages."""
    slug = key if key and all(map(belongs, key)) and len(key.encode()) <= _SLUG_BYTES else code_of(key)
    return f"{language}/tags/{slug}/" if language else f"tags/{slug}/"


def front(language: str | None) -> str:
    """The front page of a language, or of all."""
    return f"{language}/" if language else ""


def archive(base: str, number: int) -> str:
    """A page of older items below `base`, counted from the oldest."""
    return f"{base}page/{number}/"


def url(public_url: str, path: str) -> str:
    """The public address of `path`."""
    return f"{public_url}/{quote(path)}"


_OURS: Final = re.compile(
    r"(?:[A-Za-z0-9-]{1,64}/)?(?:[a-z2-7]{10}/|(?:tags/[^/]{1,255}/)?(?:page/\d{1,9}/)?)index\.html"
    r"|[A-Za-z0-9-]{1,64}/(?:feed\.xml|atom\.xml|feed\.json)"
    r"|media/[0-9a-f]{64}(?:-\d{1,9})?\.[a-z0-9]{1,9}"
)


def ours(path: str) -> bool:
    """Whether a file has the shape of a page, a feed or a picture that we write, and so may be swept away."""
    top = path.partition("/")[0]
    return top not in {"go", "assets", ITEMS.rstrip("/")} and _OURS.fullmatch(path) is not None
