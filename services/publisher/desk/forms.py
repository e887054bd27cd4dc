"""What people send to the publisher, checked."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

Url = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2000)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]

_URL, _REASON = TypeAdapter(Url), TypeAdapter(Reason)


def url_in(text: str) -> str | None:
    """The address that somebody pasted; `None` for none. Raises `ValueError` for what is no address."""
    return _URL.validate_python(text.strip()) if text.strip() else None


def is_reason(text: str) -> bool:
    """Whether a text can stand as the reason for a recall."""
    try:
        _REASON.validate_python(text)
    except ValidationError:
        return False
    return True


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Resolution(_Form):
    """What a person found out about a delivery."""

    outcome: Literal["posted", "absent", "cancelled"]
    url: Url | None = None
    """Where it can be seen, if it is there."""


class RecallRequest(_Form):
    """A submission to take back."""

    submission_id: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Reason
