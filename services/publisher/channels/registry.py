"""The kinds of channels there are, and the campaign file's channels built from them."""

from collections.abc import Mapping
from typing import Any, Final

from services.publisher.channels.mastodon.spec import SPEC as MASTODON
from services.publisher.channels.port import Channel, OwnSite
from services.publisher.channels.spec import ChannelSpec
from services.publisher.channels.telegram.spec import SPEC as TELEGRAM
from services.publisher.channels.webhook.spec import SPEC as WEBHOOK
from services.publisher.channels.website.spec import SPEC as WEBSITE
from shared.campaign.model import Campaign, CampaignError
from shared.campaign.model import ChannelEntry as Entry
from shared.storage.media import MediaStore

SPECS: Final[Mapping[str, ChannelSpec[Any]]] = {
    spec.kind: spec
    for spec in (
        WEBSITE,
        WEBHOOK,
        TELEGRAM,
        MASTODON,
    )
}


def build(
    campaign: Campaign, media: MediaStore, site: OwnSite, environ: Mapping[str, str]
) -> Mapping[str, Channel]:
    """The adapters by their ids, in the file's order. `environ` holds what `env:` credentials name.

    Raises `CampaignError` with a sentence for each channel that cannot work.
    """
    built: dict[str, Channel] = {}
    mistakes: list[str] = []
    for entry in campaign.channels:
        try:
            secrets = campaign.secrets(entry.id, environ)
            built[entry.id] = spec_of(entry).make(entry, secrets, media, site)
        except CampaignError as error:
            mistakes.append(str(error))
        except ValueError as error:
            mistakes.append(f"channel {entry.id!r}: {error}")
    if mistakes:
        raise CampaignError("\n".join(mistakes))
    return built


def spec_of(entry: Entry) -> ChannelSpec[Any]:
    """What an entry's kind is. Raises `ValueError` with a sentence for one that is not there yet."""
    spec = SPECS.get(entry.kind)
    if spec is None:
        raise ValueError(
            f"kind {entry.kind!r} is not supported yet; take the channel out of the campaign file, "
            f"or write one of {', '.join(SPECS)}"
        )
    return spec
