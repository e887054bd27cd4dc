"""The campaign file: all that is particular to one campaign, read once, refused whole when it has a mistake.

    campaign = Campaign.load(settings.campaign_path)
    campaign.channel("tg").secret("token", os.environ)

A mistake raises `CampaignError`, a line each: `file:line: what is wrong with which value; how to fix`.
Credentials are names (`env:NAME`, `file:path`), never values, and looked up when a channel needs them.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)

from shared.campaign import defaults, located_yaml
from shared.campaign.fields import BaseUrl, Country, Credential, Hashtag, Id, Language, Text
from shared.campaign.mistakes import Mistake, sentences
from shared.retention.model import ENDINGS, Ending
from shared.text.language_ranges import in_ranges

ChannelKind = Literal[
    "website",
    "webhook",
    "telegram",
    "youtube",
    "facebook_page",
    "facebook_group",
    "instagram",
    "x",
    "whatsapp",
    "threads",
    "mastodon",
    "bluesky",
    "linkedin",
    "vk",
    "tiktok",
]
KINDS: tuple[str, ...] = get_args(ChannelKind)
OWN_KINDS = frozenset({"website", "webhook"})
"""Kinds that are no social network: nobody is fooled when two of them carry the same text."""
REQUIRED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "webhook": (("base_url",), ("secret",)),
    "telegram": (("chat",), ("token",)),
}
"""Per kind: keys and credentials without which it cannot work. Other kinds are checked by their adapters."""
CALLED_AS_IT_IS = frozenset({"webhook"})
"""Kinds whose `base_url` is the whole address; to that of others something is added, so it can have no query."""
LARGEST_FILE = 1 << 50
"""Bytes. Beyond any file that there is, and within what every part of the system can count."""


NAME_CHARACTERS = 100
"""What a hashtag, a credit or the id of an upload has at most."""
MOST_CHARACTERS = 140_000
"""More texts than this would not fit into one event, nor through the gateway, in every script."""


class CampaignError(ValueError):
    """The campaign file cannot be used. The message has one `file:line: …` per mistake."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


def _reason(value: object) -> object:
    if isinstance(value, str):
        return {"code": value, "text": defaults.REASONS.get(value, {"en": value})}
    return value


class Section(_Part):
    """A team across countries with a queue of its own."""

    id: Id
    name: Text


class Reason(_Part):
    """A code that a moderator gives and a volunteer reads as a sentence."""

    code: Id
    text: Text


class SensitiveClass(_Part):
    """Material that needs more than one pair of eyes."""

    id: Id
    text: Text
    reviewers: Annotated[int, Field(ge=1, le=3)] = 2
    """How many different people must approve the same content."""
    blur: bool = False
    """Pictures stay blurred until a moderator chooses to look."""
    words: Mapping[Language, tuple[str, ...]] = Field(default_factory=dict)
    """Words and phrases, by language, whose appearance puts a submission into this class."""


class Limits(_Part):
    """What a submission may hold. Texts in characters, files in bytes."""

    title: Annotated[int, Field(ge=1)] = 200
    body: Annotated[int, Field(ge=1)] = 20_000
    alt: Annotated[int, Field(ge=1)] = 1_000
    note: Annotated[int, Field(ge=1)] = 2_000
    hashtags: Annotated[int, Field(ge=0)] = 20
    media: Annotated[int, Field(ge=0)] = 10
    photo_bytes: Annotated[int, Field(ge=1, le=LARGEST_FILE)] = 40_000_000
    video_bytes: Annotated[int, Field(ge=1, le=LARGEST_FILE)] = 2_147_483_648

    @property
    def characters(self) -> int:
        """The characters of all texts of a submission and of a decision on it together, at most."""
        media = self.media * (self.alt + NAME_CHARACTERS)
        return self.title + self.body + self.note + media + (self.hashtags + 1) * NAME_CHARACTERS

    @model_validator(mode="after")
    def _in_one_event(self) -> Self:
        if self.characters > MOST_CHARACTERS:
            text = (
                f"the texts of a submission could have {self.characters} characters together; "
                f"lower title, body, note, alt, hashtags or media until it is {MOST_CHARACTERS} at most"
            )
            raise ValueError(text)
        return self


class RetentionPeriods(_Part):
    """For how many whole days texts and files are kept when nobody needs them for the campaign any more."""

    withdrawn_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """After their author took them back and every channel let go of them. 0: at once."""
    rejected_days: Annotated[int, Field(ge=0, le=3650)] = 30
    """After moderation's no: the time in which the author may object."""
    unanswered_days: Annotated[int, Field(ge=0, le=3650)] = 180
    """After moderation asked for changes and its author sent none."""
    recalled_days: Annotated[int, Field(ge=0, le=3650)] = 30
    """After the campaign took its approval back: the time in which the author may object."""

    @property
    def periods(self) -> Mapping[Ending, timedelta]:
        """The same by what ended it. A deleted account waits for nothing."""
        days = {
            "withdrawn": self.withdrawn_days,
            "rejected": self.rejected_days,
            "unanswered": self.unanswered_days,
            "recalled": self.recalled_days,
            "deleted": 0,
        }
        return {ending: timedelta(days=days[ending]) for ending in ENDINGS}


class Reported(_Part):
    """A figure that others stated, with its source; never mixed with what was counted."""

    value: Annotated[int, Field(ge=0)]
    source: str
    as_of: AwareDatetime


class ChannelEntry(_Part):
    """One account that the campaign owns."""

    id: Id
    kind: ChannelKind
    languages: tuple[Language, ...] | None = None
    """The languages that it takes; absent means every language."""
    base_url: BaseUrl | None = None
    chat: str | None = None
    credentials: Mapping[str, Credential] = Field(default_factory=dict)
    options: Mapping[str, Any] = Field(default_factory=dict)
    """Whatever else the adapter of this kind understands; it checks them itself."""

    def takes(self, language: str) -> bool:
        """Whether it carries `language`, a channel for `sr` taking `sr-Latn` too."""
        return self.languages is None or in_ranges(language, self.languages)


class Campaign(_Part):
    """One campaign."""

    name: Text
    about: Text | None = None
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    """The languages it invites; submissions in any other language are accepted too."""
    countries: Annotated[tuple[Country, ...], Field(min_length=1)]
    coordinated: tuple[Country, ...] = ()
    """Countries that have a coordinator."""
    sections: tuple[Section, ...] = ()
    hashtags: tuple[Hashtag, ...] = ()
    partners: tuple[str, ...] = ()
    terms_version: str
    """The version of the terms that a volunteer agrees to."""
    terms: Mapping[str, Text] = Field(default_factory=dict)
    """The terms themselves, by version and language: paragraphs apart by an empty line, a heading after `# `, a list of
    lines after `- `. Versions that people agreed to earlier stay. Left out, there is no page of them."""
    reasons: tuple[Annotated[Reason, BeforeValidator(_reason)], ...] = tuple(
        Reason(code=code, text=text) for code, text in defaults.REASONS.items()
    )
    classes: tuple[SensitiveClass, ...] = tuple(
        SensitiveClass.model_validate(each) for each in defaults.CLASSES
    )
    limits: Limits = Limits()
    retention: RetentionPeriods = RetentionPeriods()
    reported: Mapping[str, Reported] = Field(default_factory=dict)
    channels: Annotated[tuple[ChannelEntry, ...], Field(min_length=1)]

    _file: Path = PrivateAttr(default=Path("campaign.yaml"))
    _lines: located_yaml.Located = PrivateAttr(default_factory=lambda: located_yaml.Located({}, {}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """The campaign in the file at `path`. Raises `CampaignError`."""
        try:
            text = path.read_bytes()
        except OSError as error:
            message = (
                f"{path}:1: the campaign file cannot be read ({error.strerror}); set KONULLU_CAMPAIGN to one"
            )
            raise CampaignError(message) from error
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: bytes, path: Path) -> Self:
        """The campaign in `text`, whose mistakes are shown as being in `path`. Raises `CampaignError`."""
        try:
            located = located_yaml.read(text)
        except located_yaml.YamlMistakeError as error:
            message = f"{path}:{error.line}: {error}"
            raise CampaignError(message) from error
        if not isinstance(located.value, dict):
            message = f"{path}:1: this is not a campaign; write keys such as name:, languages: and channels:"
            raise CampaignError(message)
        try:
            campaign = cls.model_validate(located.value)
        except ValidationError as error:
            raise _error(path, located, sentences(error.errors(), _known_keys(), KINDS)) from error
        object.__setattr__(campaign, "_file", path)
        object.__setattr__(campaign, "_lines", located)
        if mistakes := campaign.mistakes():
            raise _error(path, located, mistakes)
        return campaign

    def channel(self, channel_id: str) -> ChannelEntry:
        """The channel with this id. Raises `KeyError`."""
        for channel in self.channels:
            if channel.id == channel_id:
                return channel
        raise KeyError(channel_id)

    def reason(self, code: str) -> Reason:
        """The reason with this code. Raises `KeyError`."""
        for reason in self.reasons:
            if reason.code == code:
                return reason
        raise KeyError(code)

    @property
    def credential_variables(self) -> frozenset[str]:
        """The variables that credentials of channels are in, whatever the channel."""
        references = (each for channel in self.channels for each in channel.credentials.values())
        return frozenset(each.removeprefix("env:") for each in references if each.startswith("env:"))

    def secrets(self, channel_id: str, environ: Mapping[str, str]) -> dict[str, SecretStr]:
        """The channel's credentials, looked up now. Raises `CampaignError` with the line of a missing one."""
        channel = self.channel(channel_id)
        index = self.channels.index(channel)
        return {
            name: SecretStr(self._lookup(reference, ("channels", index, "credentials", name), environ))
            for name, reference in channel.credentials.items()
        }

    def mistakes(self) -> list[Mistake]:
        """What no single value shows: repetitions, channels that lack something, accounts in disguise."""
        return [*self._repeated(), *self._without_terms(), *self._incomplete(), *self._disguised()]

    def _lookup(self, reference: str, path: located_yaml.Path, environ: Mapping[str, str]) -> str:
        scheme, _, name = reference.partition(":")
        if scheme == "env":
            value = environ.get(name, "")
            trouble = f"the environment variable {name} is not set; set it, or take the channel out"
        else:
            file = self._file.parent / name
            value = file.read_text().strip() if file.is_file() else ""
            trouble = (
                f"the file {file} is missing or empty; write the credential into it, or take the channel out"
            )
        if not value:
            raise _error(self._file, self._lines, [(path, trouble)])
        return value

    def _repeated(self) -> list[Mistake]:
        repeated: list[Mistake] = [
            ((field, index), f"{value!r} is in {field} twice; keep one")
            for field, values in (
                ("languages", self.languages),
                ("countries", self.countries),
                ("coordinated", self.coordinated),
                ("hashtags", self.hashtags),
                ("sections", tuple(each.id for each in self.sections)),
                ("reasons", tuple(each.code for each in self.reasons)),
                ("classes", tuple(each.id for each in self.classes)),
                ("channels", tuple(each.id for each in self.channels)),
            )
            for index, value in enumerate(values)
            if value in values[:index]
        ]
        unknown: list[Mistake] = [
            (("coordinated", index), f"{country!r} is not among the countries; add it there")
            for index, country in enumerate(self.coordinated)
            if country not in self.countries
        ]
        return repeated + unknown

    def _without_terms(self) -> list[Mistake]:
        if not self.terms or self.terms_version in self.terms:
            return []
        text = f"terms has no version {self.terms_version!r}; write it there, or name in terms_version one that is there"
        return [(("terms_version",), text)]

    def _incomplete(self) -> list[Mistake]:
        mistakes: list[Mistake] = []
        for index, channel in enumerate(self.channels):
            keys, credentials = REQUIRED.get(channel.kind, ((), ()))
            where: located_yaml.Path = ("channels", index)
            mistakes += [
                (where, f"a {channel.kind} channel needs {key}; add {key}:")
                for key in keys
                if getattr(channel, key) is None
            ]
            mistakes += [
                (where, f"a {channel.kind} channel needs credentials; add credentials: {{{name}: env:NAME}}")
                for name in credentials
                if name not in channel.credentials
            ]
            if "?" in (channel.base_url or "") and channel.kind not in CALLED_AS_IT_IS:
                text = f"the base_url of a {channel.kind} channel cannot have a ? in it; take it out from there on"
                mistakes.append(((*where, "base_url"), text))
        return mistakes

    def _disguised(self) -> list[Mistake]:
        """Channels that would put the same text before the same people twice."""
        return [
            (("channels", index), trouble)
            for index, one in enumerate(self.channels)
            for other in self.channels[:index]
            if one.kind == other.kind and (trouble := _conflict(one, other))
        ]


def _conflict(one: ChannelEntry, other: ChannelEntry) -> str | None:
    """What is wrong with having both channels of one kind, if anything is."""
    pair = f"channels {other.id!r} and {one.id!r}"
    if one.kind == "website":
        return f"{pair} are both the campaign's website; keep one"
    if (one.base_url, one.chat, one.options) == (other.base_url, other.chat, other.options) and (
        one.kind in OWN_KINDS or one.credentials == other.credentials or one.chat is not None
    ):
        return f"{pair} are one and the same account; keep one"
    overlap = any(other.takes(tag) for tag in one.languages or ()) or one.languages is None
    overlap = overlap or any(one.takes(tag) for tag in other.languages or ()) or other.languages is None
    if one.kind in OWN_KINDS or one.credentials == other.credentials or not overlap:
        return None
    return (
        f"{pair} are two {one.kind} accounts that would carry identical text; "
        "give each languages: of its own, or keep one"
    )


def _known_keys() -> dict[str, list[str]]:
    parts: Mapping[str, type[BaseModel]] = {
        "": Campaign,
        "channels": ChannelEntry,
        "sections": Section,
        "reasons": Reason,
        "classes": SensitiveClass,
        "limits": Limits,
        "retention": RetentionPeriods,
        "reported": Reported,
    }
    return {key: list(part.model_fields) for key, part in parts.items()}


def _error(file: Path, located: located_yaml.Located, found: list[Mistake]) -> CampaignError:
    lines = sorted({(located.line(path), sentence) for path, sentence in found})
    return CampaignError("\n".join(f"{file}:{line}: {sentence}" for line, sentence in lines))
