"""Links to statuses as people copy them from Mastodon's pages and applications. Pure.

    /@<name>/<status>             /@<name>@<other server>/<status>   /users/<name>/statuses/<status>
    /web/@<name>/<status>         /web/statuses/<status>             /ap/users/<number>/statuses/<status>
    /deck/@<name>/<status>        /statuses/<status>                 /notice/<status>

each with `/activity`, `/embed`, `/favourites`, `/reblogs` or nothing behind it, on the server of the account: another
server knows the same status by another number.
"""

import re
from typing import Final
from urllib.parse import unquote

from services.publisher.channels.pasted_links import LinkRefused, PastedLinks, read_link
from services.publisher.channels.port import Posted
from shared.text.addresses import parts_of

STATUS: Final = re.compile(
    r"(?:/(?:web|deck))?/(?:@[^/]{1,300}|(?:ap/)?users/[^/]{1,300}/statuses|statuses|notice)"
    r"/(?P<status>[0-9]{1,20})(?:/(?:activity|embed|favourites|quotes|reblogs))?/?"
)
PLAIN: Final = re.compile(r"[0-9]{1,20}")
COPY: Final = (
    "Open the status and copy its address: it ends in the status' number, as in https://server/@name/123."
)


def status_id(text: str) -> str | None:
    """The status' number in a remote id, or in any of its public addresses; `None` when there is none."""
    if PLAIN.fullmatch(text):
        return text
    parts = parts_of(text)
    found = STATUS.fullmatch(unquote(parts.path)) if parts else None
    return found["status"] if found else None


def locate(pasted: PastedLinks) -> Posted:
    """The status that the link names. Raises `LinkRefused`."""
    if len(pasted.links) > 1:
        raise LinkRefused(
            "number", f"A post is one status here, and {len(pasted.links)} links were given. {COPY}"
        )
    parts = read_link(pasted.links[0])
    number = status_id(parts.geturl())
    if number is None:
        raise LinkRefused("no_post", f"The address names no status. {COPY}")
    home = parts_of(pasted.entry.base_url) if pasted.entry and pasted.entry.base_url else None
    if home is not None and parts.hostname != home.hostname:
        raise LinkRefused(
            "elsewhere",
            f"The link leads to {parts.hostname}, and the account is on {home.hostname}: each server gives the same "
            "status another number. Open it on the account's own server and copy the address there.",
        )
    return Posted(number, parts.geturl())
