"""The campaign's own website."""

from dataclasses import replace
from typing import Final

from services.publisher.channels.http_client import Wire
from services.publisher.channels.port import Channel
from services.publisher.channels.spec import ChannelSpec, Options, Order
from services.publisher.channels.website.adapter import CAPABILITIES, Website


class WebsiteOptions(Options):
    """What may be set of the website."""

    public_check: bool = False
    """What was posted is also read back over the public address, as readers get it."""


def _build(order: Order[WebsiteOptions]) -> Channel:
    public = Wire(order.entry.id) if order.options.public_check else None
    can = replace(CAPABILITIES, in_flight=order.options.in_flight)
    return Website(order.entry.id, order.site, public=public, capabilities=can)


SPEC: Final = ChannelSpec(
    kind="website",
    capabilities=CAPABILITIES,
    options=WebsiteOptions,
    build=_build,
    public_url=lambda _, public_url: f"{public_url}/",
    replaces_in_place=True,
    every_language=True,
    has_pages=True,
    is_social=False,
)
