"""Redirects within our own pages."""

from fastapi.responses import RedirectResponse


def see_other(address: str) -> RedirectResponse:
    """To another page, after something was done: it is fetched anew, and nothing on the way keeps the answer."""
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
