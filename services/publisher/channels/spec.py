"""What a kind of channel is, in one place: whoever needs to know something of a kind asks its `ChannelSpec`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from services.publisher.channels.http_client import Timeouts
from services.publisher.channels.pasted_links import Locate, one_address
from services.publisher.channels.port import Capabilities, Channel, OwnSite
from shared.campaign.model import ChannelEntry as Entry
from shared.events import Snapshot
from shared.storage.media import MediaStore

_USUAL: Final = Timeouts()
Seconds = Annotated[float, Field(gt=0, le=70)]


class Options(BaseModel):
    """What a channel's entry in the campaign file may set under `options:`, whatever its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    in_flight: Annotated[int, Field(gt=0, le=64)] = 8
    """Calls that one process has under way at the same time, each of another submission."""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """The options in a campaign file. Raises `ValueError` with a sentence for the first that is wrong."""
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            raise ValueError(cls._sentence(error)) from error

    @classmethod
    def _sentence(cls, error: ValidationError) -> str:
        first = error.errors()[0]
        name, value = str(first["loc"][0]), first["input"]
        known = cls.model_fields.get(name)
        if known is None:
            return f"unknown option {name!r}; known here are: {', '.join(cls.model_fields)}"
        most = next((f" and at most {each.le:g}" for each in known.metadata if hasattr(each, "le")), "")
        wanted = "true or false" if known.annotation is bool else f"a number above 0{most}"
        return f"option {name!r} must be {wanted}, not {value!r}"


class CallOptions(Options):
    """And what kinds that are called over HTTP may set besides."""

    look_seconds: Seconds = _USUAL.look
    """How long the answer to a call that only asks is waited for, in seconds."""
    answer_seconds: Seconds = _USUAL.change
    """The same for a call that shows or removes something."""
    upload_seconds: Seconds = _USUAL.upload
    """The same for a call that carries files."""

    @property
    def timeouts(self) -> Timeouts:
        """As the HTTP client wants them."""
        return Timeouts(look=self.look_seconds, change=self.answer_seconds, upload=self.upload_seconds)


OptionsT = TypeVar("OptionsT", bound=Options)


def one_place(_: Snapshot, __: Entry | None) -> int:
    """Of kinds where a delivery is one post."""
    return 1


@dataclass(frozen=True, slots=True)
class Order(Generic[OptionsT]):
    """A channel to be built: its entry in the campaign file, with everything looked up that it names."""

    entry: Entry
    options: OptionsT
    secrets: Mapping[str, SecretStr]
    media: MediaStore
    site: OwnSite


@dataclass(frozen=True, slots=True)
class ChannelSpec(Generic[OptionsT]):
    """One kind of channel. One stands in each folder of `channels/`, and one line in the registry names it."""

    kind: str
    capabilities: Capabilities
    options: type[OptionsT]
    build: Callable[[Order[OptionsT]], Channel]
    """Raises `ValueError` with a sentence for an entry with which it cannot work."""
    public_url: Callable[[Entry, str], str | None]
    """Where people find the channel, by its entry and the campaign's public address; `None` where nobody can tell."""
    locate: Locate = one_address
    """What the addresses mean to its adapter at which a person saw a delivery: the rule for links of this kind."""
    places: Callable[[Snapshot, Entry | None], int] = one_place
    """How many addresses a delivery of this content has: an album may have one for each of its pictures."""
    needs: tuple[str, ...] = ()
    """Names of the credentials without which it cannot work."""
    replaces_in_place: bool = False
    """What a later decision shows takes the place of the earlier one, with nothing missing in between."""
    every_language: bool = False
    """It carries every language, whatever its entry says."""
    has_pages: bool = False
    """It gives each submission a page of its own, to which others may link."""
    is_social: bool = True
    """A social network: the same text from two accounts would look like two voices."""

    def make(
        self, entry: Entry, secrets: Mapping[str, SecretStr], media: MediaStore, site: OwnSite
    ) -> Channel:
        """The channel of an entry. Raises `ValueError` with a sentence for one that cannot work."""
        missing = [name for name in self.needs if name not in secrets]
        if missing:
            raise ValueError(f"a {self.kind} channel needs credentials: {{{missing[0]}: env:NAME}}")
        return self.build(Order(entry, self.options.read(entry.options), secrets, media, site))

    def languages_of(self, entry: Entry) -> tuple[str, ...] | None:
        """The languages that the channel of an entry carries; `None` for all."""
        return None if self.every_language else entry.languages
