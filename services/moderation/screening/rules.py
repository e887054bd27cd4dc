"""What the machine notices about a submission, as hints to people: it sorts and never decides. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, Literal

from services.moderation.screening import text_scan as texts
from shared.events import Consent, Media, SubmissionReceived

Risk = Literal["low", "medium", "high"]
Level = Literal["info", "caution", "danger"]
MANY_LINKS: Final = 2
"""More links than this are a caution."""
EACH: Final = 5
"""At most this many signals of one kind from one field."""
FOREIGN: Final = 0.5
"""The share of letters in another script from which on the language looks wrong."""


@dataclass(frozen=True, slots=True)
class ClassRule:
    """A sensitive class as the campaign defines it."""

    id: str
    reviewers: int = 2
    blur: bool = False
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a campaign watches for, and what moderators may answer."""

    classes: Mapping[str, ClassRule]
    reasons: frozenset[str]
    channels: frozenset[str]
    title: int = 200
    body: int = 20_000
    alt: int = 1_000
    note: int = 2_000
    hashtags: int = 20
    """Limits, in characters, and the number of hashtags."""
    countries: tuple[str, ...] = ()
    """Those that the campaign invites, whose telephone numbers are known as they are written there."""

    def reviewers(self, classes: Iterable[str]) -> int:
        """How many different people must approve what lies in these classes; one where there is none."""
        return max((self.classes[name].reviewers for name in classes if name in self.classes), default=1)

    def blurs(self, classes: Iterable[str]) -> bool:
        """Whether pictures stay blurred until somebody chooses to look."""
        return any(self.classes[name].blur for name in classes if name in self.classes)


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing noticed, with what it was noticed by."""

    code: str
    level: Level
    field: str = ""
    """`title`, `body`, `alt:<n>` counting from 1, or empty for the whole."""
    evidence: str = ""
    start: int | None = None
    """Where it begins in the field, in characters."""
    end: int | None = None
    sensitive: str | None = None
    """The class that it puts the submission into."""


@dataclass(frozen=True, slots=True)
class ScreeningFinding:
    """What screening found."""

    classes: tuple[str, ...]
    signals: tuple[Signal, ...]
    risk: Risk
    reviewers: int
    blur: bool


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a submission, by field."""

    language: str
    title: str
    body: str
    alts: tuple[str, ...] = ()
    country: str = ""
    """Where it comes from."""

    def fields(self) -> Iterator[tuple[str, str]]:
        """Each field's name with its text."""
        yield "title", self.title
        yield "body", self.body
        for number, alt in enumerate(self.alts, 1):
            yield f"alt:{number}", alt


UNREAD: Final = Signal("not_scanned", "danger", sensitive="personal_data")
"""What the machine had no time to read may hold anything: two people are to look."""


def unread(submission: SubmissionReceived, policy: Policy) -> ScreeningFinding:
    """What there is to know when the texts could not be read in time."""
    return judge((*_about(submission), UNREAD), policy)


def assess(submission: SubmissionReceived, policy: Policy) -> ScreeningFinding:
    """What there is to know before a person looks."""
    wording = Wording(
        submission.language,
        submission.title,
        submission.body,
        tuple(media.alt for media in submission.media),
        submission.country,
    )
    return judge((*_about(submission), *read(wording, policy)), policy)


def _about(submission: SubmissionReceived) -> Iterator[Signal]:
    yield from _declared(submission.consent, submission.ai.made, submission.ai.edited)
    yield from _alternatives(submission.media)


def judge(signals: Iterable[Signal], policy: Policy, classes: Iterable[str] = ()) -> ScreeningFinding:
    """The finding that these signals add up to, over the classes that are given already."""
    kept = tuple(signals)
    named = {*classes, *(signal.sensitive for signal in kept if signal.sensitive in policy.classes)}
    order = tuple(name for name in policy.classes if name in named)
    risk: Risk = "low"
    if any(signal.level == "caution" for signal in kept):
        risk = "medium"
    if order or any(signal.level == "danger" for signal in kept):
        risk = "high"
    return ScreeningFinding(order, kept, risk, policy.reviewers(order), policy.blurs(order))


def read(wording: Wording, policy: Policy) -> Iterator[Signal]:
    """What the words themselves show; asked again when a moderator edits them."""
    for name, text in wording.fields():
        yield from _personal(name, text, wording.country, policy)
        for look in (_order, _links):
            yield from look(name, text)
        yield from _words(name, text, policy)
    yield from _script(wording)
    for name, text in wording.fields():
        if texts.shouting(text):
            yield Signal("capitals", "caution", name, text[: 2 * texts.EXCERPT])
    if not wording.body.strip():
        yield Signal("no_text", "info", "body")


def _declared(consent: Consent, made: bool, edited: bool) -> Iterator[Signal]:  # noqa: FBT001 — two flags of one event
    if consent.people_shown == "minors_guardian_agreed":
        yield Signal("minors_declared", "danger", sensitive="minors")
    if consent.people_shown == "adults_agreed":
        yield Signal("people_declared", "info")
    if consent.rights != "own":
        yield Signal(f"rights_{consent.rights}", "info")
    if made:
        yield Signal("ai_made", "caution")
    if edited:
        yield Signal("ai_edited", "info")


def _alternatives(media: tuple[Media, ...]) -> Iterator[Signal]:
    for number, one in enumerate(media, 1):
        if not one.alt.strip():
            yield Signal("alt_missing", "info", f"alt:{number}")


Look = Callable[[texts.Digits], Iterator[texts.Found]]
PERSONAL: Final[tuple[tuple[str, Look], ...]] = (
    ("email", texts.emails),
    ("iban", texts.ibans),
    ("card", texts.cards),
    ("phone", texts.phones),
)
"""In this order: digits that are part of an account are no telephone number."""


def _personal(name: str, text: str, country: str, policy: Policy) -> Iterator[Signal]:
    taken: list[texts.Found] = []
    ready = texts.Digits(text)
    national: Look = partial(texts.national_phones, home=country, countries=policy.countries)
    for code, look in (*PERSONAL, ("phone", national)):
        hits = (hit for hit in look(ready) if all(hit.end <= t.start or t.end <= hit.start for t in taken))
        for hit in list(islice(hits, EACH)):
            taken.append(hit)
            yield _signal(code, "danger", name, hit, "personal_data")
    for hit in islice(texts.matches(texts.ADDRESS, text), EACH):
        yield _signal("address", "caution", name, hit)


def _links(name: str, text: str) -> Iterator[Signal]:
    hits = list(texts.matches(texts.LINK, text))
    level: Level = "caution" if len(hits) > MANY_LINKS else "info"
    for hit in hits[:EACH]:
        yield _signal("link", level, name, hit)


def _order(name: str, text: str) -> Iterator[Signal]:
    for hit in islice(texts.matches(texts.OVERRIDES, text), EACH):
        yield _signal("direction_override", "caution", name, hit)
    for hit in islice(texts.disguised(text), EACH):
        yield _signal("mixed_scripts", "caution", name, hit)


def _words(name: str, text: str, policy: Policy) -> Iterator[Signal]:
    folded: dict[str, texts.Folded] = {}
    for rule in policy.classes.values():
        for language, words in rule.words.items():
            ready = folded.get(language) or texts.Folded(text, language)
            folded[language] = ready
            hits = (hit for word in words for hit in ready.occurrences(word))
            for hit in islice(hits, EACH):
                yield _signal("word", "danger", name, hit, rule.id)


def _script(wording: Wording) -> Iterator[Signal]:
    expected = texts.expected_script(wording.language)
    counted = texts.scripts(f"{wording.title} {wording.body}")
    if expected is None or not counted:
        return
    foreign = counted.total() - counted[expected]
    if foreign > FOREIGN * counted.total():
        other = counted.most_common(1)[0][0]
        yield Signal("language_mismatch", "caution", "body", f"{wording.language}: {other.lower()}")


def _signal(code: str, level: Level, name: str, hit: texts.Found, sensitive: str | None = None) -> Signal:
    return Signal(code, level, name, hit.excerpt, hit.start, hit.end, sensitive)
