"""Where a page of a list goes on: text that means nothing to whoever carries it. Pure."""

import base64
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import StringConstraints

LONGEST: Final = 200
"""Characters. No list of ours makes a longer one, and a short one cannot nest deeply or hold a number without end."""
Cursor = Annotated[str, StringConstraints(max_length=LONGEST)]


class CursorInvalid(Exception):
    """Not one that a list of ours gave."""


def closed(*parts: str | int) -> str:
    """The cursor that holds these."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode()


def opened(cursor: str, *kinds: type[str] | type[int]) -> list[Any]:
    """What a cursor holds, of these kinds in this order; numbers may be any, so clamp them. Raises `CursorInvalid`."""
    if len(cursor) > LONGEST:
        raise CursorInvalid
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, RecursionError) as error:
        raise CursorInvalid from error
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
        raise CursorInvalid
    return parts


def moment_of(text: str) -> datetime | None:
    """The time (UTC) in a cursor or parameter; nothing where it says none, has no zone, or is in no year of UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
