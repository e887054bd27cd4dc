"""Where a delivery is, by the addresses that a person pasted: what every kind of channel has in common. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult

from services.publisher.channels.port import Posted
from shared.campaign.model import ChannelEntry as Entry
from shared.events import Snapshot
from shared.text.addresses import web_address


@dataclass(frozen=True, slots=True)
class PastedLinks:
    """At least one address at which somebody saw a delivery, as they copied it."""

    links: Sequence[str]
    snapshot: Snapshot
    """What the delivery shows."""
    entry: Entry | None
    """The channel in the campaign file; none when it is not there any more."""


class LinkRefused(Exception):
    """The links do not say where it is. The text says what is missing and how to get it; `code` says it to pages.

    `no_address`: one is no address; `no_post`: one leads to no single post; `elsewhere`: one leads to a place that the
    channel does not write to; `number`: they are more or fewer than what the delivery consists of.
    """

    def __init__(self, code: Literal["no_address", "no_post", "elsewhere", "number"], text: str) -> None:
        super().__init__(text)
        self.code = code


Locate = Callable[[PastedLinks], Posted]
"""The rule of a kind: what the links mean to its adapter. Raises `LinkRefused`."""


def read_link(link: str) -> SplitResult:
    """The parts of an address, which people copy without `https://` too. Raises `LinkRefused`."""
    given = link.strip()
    try:
        return web_address(given if "://" in given else f"https://{given}")
    except ValueError as error:
        text = f"{given[:80]!r} is no web address: {error}. Copy it whole, from https:// on."
        raise LinkRefused("no_address", text) from error


def one_address(pasted: PastedLinks) -> Posted:
    """The rule of kinds that need to be told nothing: one address, to be shown."""
    if len(pasted.links) > 1:
        text = f"{len(pasted.links)} addresses were given; it is one post here. Give the one where it can be seen."
        raise LinkRefused("number", text)
    address = read_link(pasted.links[0]).geturl()
    return Posted(address, address)
