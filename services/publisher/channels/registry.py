"""The campaign file's channels as adapters. A channel that cannot work is refused here, before the publisher starts."""

from collections.abc import Mapping
from typing import Any

from services.publisher.channels.http_client import Wire
from services.publisher.channels.port import Channel
from services.publisher.channels.telegram.adapter import OFFICIAL, Telegram
from services.publisher.channels.telegram.message import CALLS_PER_SECOND, VIDEO_BYTES
from services.publisher.channels.webhook.adapter import Webhook
from services.publisher.channels.website.adapter import Website
from services.publisher.channels.website.site import Site
from shared.campaign import model as campaign_file
from shared.campaign.model import Campaign, CampaignError
from shared.storage.media import MediaStore

SUPPORTED = ("website", "webhook", "telegram")


def build(
    campaign: Campaign, media: MediaStore, site: Site, environ: Mapping[str, str]
) -> Mapping[str, Channel]:
    """The adapters by their ids, in the file's order. `environ` holds what `env:` credentials name.

    Raises `CampaignError` with a sentence for each channel that cannot work.
    """
    built: dict[str, Channel] = {}
    mistakes: list[str] = []
    for channel in campaign.channels:
        try:
            built[channel.id] = _adapter(campaign, channel, media, site, environ)
        except CampaignError as error:
            mistakes.append(str(error))
        except ValueError as error:
            mistakes.append(f"channel {channel.id!r}: {error}")
    if mistakes:
        raise CampaignError("\n".join(mistakes))
    return built


def _adapter(
    campaign: Campaign,
    channel: campaign_file.Channel,
    media: MediaStore,
    site: Site,
    environ: Mapping[str, str],
) -> Channel:
    match channel.kind:
        case "website":
            options = _options(channel.options, {"public_check": False})
            return Website(channel.id, site, public=Wire(channel.id) if options["public_check"] else None)
        case "webhook":
            _options(channel.options, {})
            secrets = campaign.secrets(channel.id, environ)
            return Webhook(channel.id, base_url=channel.base_url or "", secret=secrets["secret"])
        case "telegram":
            options = _options(
                channel.options, {"video_bytes": VIDEO_BYTES, "calls_per_second": CALLS_PER_SECOND}
            )
            return Telegram(
                channel.id,
                chat=channel.chat or "",
                token=campaign.secrets(channel.id, environ)["token"],
                media=media,
                base_url=channel.base_url or OFFICIAL,
                video_bytes=int(options["video_bytes"]),
                calls_per_second=float(options["calls_per_second"]),
            )
    raise ValueError(
        f"kind {channel.kind!r} is not supported yet; take the channel out of the campaign file, "
        f"or write one of {', '.join(SUPPORTED)}"
    )


def _options(given: Mapping[str, Any], known: Mapping[str, float]) -> Mapping[str, float]:
    """The options with their defaults. Raises `ValueError` for one that is unknown or of the wrong kind."""
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"unknown option {name!r}; known here are: {', '.join(known) or 'none'}")
        switch = isinstance(known[name], bool)
        fine = isinstance(value, bool) if switch else _above_zero(value)
        if not fine:
            wanted = "true or false" if switch else "a number above 0"
            raise ValueError(f"option {name!r} must be {wanted}, not {value!r}")
    return {**known, **given}


def _above_zero(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
