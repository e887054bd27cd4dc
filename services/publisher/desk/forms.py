"""What people send to the publisher, checked."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from shared.http.models import StrictBody

Link = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]

_REASON = TypeAdapter(Reason)


def is_reason(text: str) -> bool:
    """Whether a text can stand as the reason for a recall."""
    try:
        _REASON.validate_python(text)
    except ValidationError:
        return False
    return True


class Resolution(StrictBody):
    """What a person found out about a delivery."""

    outcome: Literal["posted", "absent", "cancelled"]
    url: Link | None = None
    """Where it can be seen, if it is there: its link as the channel's own pages and applications give it."""
    urls: tuple[Link, ...] = Field(default=(), max_length=20)
    """The same for what consists of several posts, such as an album of photos: the link of each."""

    @property
    def links(self) -> tuple[str, ...]:
        """All of them."""
        return (*([self.url] if self.url else ()), *self.urls)


class RecallRequest(StrictBody):
    """A submission to take back."""

    submission_id: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Reason
