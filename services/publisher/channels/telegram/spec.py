"""Telegram's chats and channels, written to by the campaign's bot."""

from typing import Annotated, Final

from pydantic import Field

from services.publisher.channels.http_client import Wire
from services.publisher.channels.pasted_links import PastedLinks
from services.publisher.channels.port import Channel, Posted
from services.publisher.channels.spec import CallOptions, ChannelSpec, Order
from services.publisher.channels.telegram.adapter import CAPABILITIES, OFFICIAL, Telegram
from services.publisher.channels.telegram.links import locate
from services.publisher.channels.telegram.message import CALLS_PER_SECOND, VIDEO_BYTES, messages_of
from shared.campaign.model import ChannelEntry as Entry
from shared.events import Snapshot


class TelegramOptions(CallOptions):
    """What may be set of a chat."""

    video_bytes: Annotated[int, Field(gt=0)] = VIDEO_BYTES
    """The largest video that the server takes, in bytes."""
    calls_per_second: Annotated[float, Field(gt=0)] = CALLS_PER_SECOND
    """How often the bot may write into the chat."""


def _build(order: Order[TelegramOptions]) -> Channel:
    token, options = order.secrets["token"], order.options
    return Telegram(
        order.entry.id,
        chat=order.entry.chat or "",
        token=token,
        media=order.media,
        base_url=order.entry.base_url or OFFICIAL,
        video_bytes=options.video_bytes,
        calls_per_second=options.calls_per_second,
        in_flight=options.in_flight,
        wire=Wire(order.entry.id, secrets=(token.get_secret_value(),), timeouts=options.timeouts),
    )


def _public_url(entry: Entry, _: str) -> str | None:
    return f"https://t.me/{entry.chat[1:]}" if entry.chat and entry.chat.startswith("@") else None


def _places(snapshot: Snapshot, entry: Entry | None) -> int:
    options = TelegramOptions.read({} if entry is None else entry.options)
    return messages_of(snapshot, options.video_bytes)


def _locate(pasted: PastedLinks) -> Posted:
    return locate(pasted, _places(pasted.snapshot, pasted.entry))


SPEC: Final = ChannelSpec(
    kind="telegram",
    capabilities=CAPABILITIES,
    options=TelegramOptions,
    build=_build,
    public_url=_public_url,
    locate=_locate,
    places=_places,
    needs=("token",),
)
