"""The text of a submission as a channel takes it: within its own units, with label, credit and short link.

Every channel counts text differently, so no two share a `len`: a `Measure` counts, and everything here works
with any. What does not fit is shortened at the end of a sentence and linked; a word or a letter with its
marks is never torn unless a single one is too long. Pure.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from shared.events import AiUse, Attribution, Snapshot
from shared.web.catalogues import spoken, translations

Measure = Callable[[str], int]
ELLIPSIS = "…"
_SENTENCE_END = re.compile(r"(?<![.!?…。！？।॥؟۔։])[.!?…。！？।॥؟۔։]+[\"'»”’›)\]]*(?=\s|$)|[。！？]|\n")  # noqa: RUF100
_SPACE = re.compile(r"\s")
_JOINERS = {"\u200d", "\ufe0e", "\ufe0f", "\u20e3"}
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAGS = range(0x1F1E6, 0x1F200)


def utf16_units(text: str) -> int:
    """How long `text` is for Telegram: in UTF-16 code units, so that most emoji count twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True, slots=True)
class StyledSpan:
    """A styled stretch of a text: offset and length in UTF-16 units, as Telegram's entities want them."""

    style: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text that fits, with its styled stretches, and whether something had to be left out."""

    text: str
    spans: tuple[StyledSpan, ...]
    shortened: bool


def words_in(language: str) -> Callable[[str], str]:
    """The few words that the publisher itself puts beside a text in `language`."""
    return translations(spoken(language)).gettext


def ai_label(ai: AiUse, language: str) -> str | None:
    """The visible label of machine-made or machine-edited material, in the text's language."""
    _ = words_in(language)
    if ai.made:
        return _("Made with AI")
    return _("Edited with AI") if ai.edited else None


def credit(attribution: Attribution, language: str) -> str:
    """The author as they wish to be called, in the text's language."""
    _ = words_in(language)
    if attribution.mode == "anonymous" or not attribution.text:
        return _("Author's name withheld")
    return _("By %(name)s") % {"name": attribution.text}


def hashtag_line(hashtags: tuple[str, ...]) -> str:
    """The hashtags with their `#`, in the order given, each once."""
    return " ".join(f"#{tag}" for tag in dict.fromkeys(hashtags) if tag)


def caption(snapshot: Snapshot, link: str, *, limit: int, measure: Measure, cut: bool = False) -> Rendered:
    """Title, text, AI label, credit, hashtags and short link of `snapshot`, in at most `limit` units.

    `cut` says that something else was left out (a photo beyond the album), so that the reader is told there
    is more. Label, credit and link always stay; when room is scarce the text gives way first, then hashtags,
    then the title.
    """
    _ = words_in(snapshot.language)
    onward = _("Read on:")
    label = ai_label(snapshot.ai, snapshot.language)
    signature = "\n".join(part for part in (label, credit(snapshot.attribution, snapshot.language)) if part)
    tags = hashtag_line(snapshot.hashtags)
    title, body = snapshot.title.strip(), snapshot.body.strip()
    for foot_tags in (tags, ""):
        for short in (False, True) if not cut else (True,):
            foot = _joined(signature, foot_tags, f"{onward} {link}" if short else link)
            room = limit - measure(_joined(title, "", foot)) - measure("\n\n")
            text = body if not short or measure(body) <= room else shortened(body, room, measure)
            whole = _joined(title, text, foot)
            if measure(whole) <= limit and (text or not body):
                return _styled(title, whole, shortened=short)
    foot = _joined(signature, "", f"{onward} {link}")
    title = shortened(title, limit - measure(foot) - measure("\n\n"), measure)
    return _styled(title, _joined(title, "", foot), shortened=True)


def shortened(text: str, limit: int, measure: Measure) -> str:
    """The longest beginning of `text` within `limit` units that ends with a sentence, and `…`; else empty.

    Where not even the first sentence fits, or only a scrap of what would, it ends with a word; where no word
    fits, between two letters.
    """
    if measure(text) <= limit:
        return text
    room = limit - measure(f" {ELLIPSIS}")
    if room <= 0:
        return ""
    fitting = text[: _fitting(text, room, measure)]
    sentences = [match.end() for match in _SENTENCE_END.finditer(text) if match.end() <= len(fitting)]
    if sentences and sentences[-1] * 3 >= len(fitting):
        return f"{text[: sentences[-1]].rstrip()} {ELLIPSIS}"
    spaces = [match.start() for match in _SPACE.finditer(text) if match.start() <= len(fitting)]
    if spaces and fitting[: spaces[-1]].strip():
        return f"{fitting[: spaces[-1]].rstrip()}{ELLIPSIS}"
    end = len(fitting)
    while end > 0 and _inside_letter(text, end):
        end -= 1
    return f"{text[:end]}{ELLIPSIS}" if end else ""


def _fitting(text: str, room: int, measure: Measure) -> int:
    """How many characters from the start measure at most `room`."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _inside_letter(text: str, index: int) -> bool:
    """Whether a cut before `text[index]` would tear one letter or emoji apart."""
    if index >= len(text):
        return False
    here, before = text[index], text[index - 1]
    if unicodedata.category(here).startswith("M") or here in _JOINERS or before == "\u200d":
        return True
    if ord(here) in _SKIN_TONES:
        return True
    flags = 0
    while index - 1 - flags >= 0 and ord(text[index - 1 - flags]) in _FLAGS:
        flags += 1
    return ord(here) in _FLAGS and flags % 2 == 1


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _styled(title: str, whole: str, *, shortened: bool) -> Rendered:
    spans = (StyledSpan("bold", 0, utf16_units(title)),) if title else ()
    return Rendered(whole, spans, shortened)
