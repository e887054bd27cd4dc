"""Accounts on Mastodon's servers."""

from dataclasses import replace
from typing import Annotated, Final

from pydantic import Field

from services.publisher.channels.http_client import Wire
from services.publisher.channels.mastodon.adapter import CAPABILITIES, Mastodon
from services.publisher.channels.mastodon.links import locate
from services.publisher.channels.mastodon.message import CHARACTERS
from services.publisher.channels.port import Channel
from services.publisher.channels.spec import CallOptions, ChannelSpec, Order


class MastodonOptions(CallOptions):
    """What may be set of an account."""

    characters: Annotated[int, Field(gt=0)] = CHARACTERS
    """The longest status that the server takes."""
    calls_per_second: Annotated[float, Field(gt=0)] = 1.0
    """As many as the server's rate allows; 300 in five minutes where it is not set otherwise."""


def _build(order: Order[MastodonOptions]) -> Channel:
    if order.entry.base_url is None:
        raise ValueError("a mastodon channel needs base_url, the address of its server; add base_url:")
    token, options = order.secrets["token"], order.options
    return Mastodon(
        order.entry.id,
        base_url=order.entry.base_url,
        token=token,
        wire=Wire(order.entry.id, secrets=(token.get_secret_value(),), timeouts=options.timeouts),
        capabilities=replace(
            CAPABILITIES,
            text_units=options.characters,
            rate_per_second=options.calls_per_second,
            in_flight=options.in_flight,
        ),
    )


SPEC: Final = ChannelSpec(
    kind="mastodon",
    capabilities=CAPABILITIES,
    options=MastodonOptions,
    build=_build,
    public_url=lambda entry, _: entry.base_url,
    locate=locate,
    needs=("token",),
)
