"""What people send to the publisher, checked."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Url = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2000)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


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
