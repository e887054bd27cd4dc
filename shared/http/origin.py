"""Where a request comes from: from which address on the network, and from whose page."""

from fastapi import Request

from shared.text.addresses import parts_of


def address_of(request: Request) -> str | None:
    """The address that a request comes from, as the gateway tells it; nothing where it came through no network."""
    return request.client.host if request.client else None


def is_from_another_site(request: Request) -> bool:
    """Whether a browser says that the page which sent this lies on another host (`Origin`). Others say nothing."""
    origin = request.headers.get("origin")
    hosts = {request.headers.get("host"), request.headers.get("x-forwarded-host")}
    if origin is None:
        return False
    parts = parts_of(origin)
    return parts is None or parts.netloc not in hosts
