"""The bodies and answers of the API of people. Names and codes are judged by `validation.rules`."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from services.ingest.validation.rules import Newcomer
from shared.http.models import Answer, StrictBody


class VolunteerBody(StrictBody):
    """Who wants to join."""

    name: str
    country: str
    languages: list[str]
    section: str | None = None

    def newcomer(self) -> Newcomer:
        """The same for `intake.welcome`."""
        return Newcomer(self.name, self.country, tuple(self.languages), self.section)


class RecoveryBody(StrictBody):
    """The code that was shown at registration or at the last recovery."""

    recovery_code: Annotated[str, Field(max_length=100)]


class SessionBody(StrictBody):
    """What to sign in with: a token, or the secret of a one-time link."""

    token: Annotated[str, Field(max_length=4000)] | None = None
    link: Annotated[str, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.token is None) == (self.link is None):
            message = "give either token or link"
            raise PydanticCustomError("one_of_both", message)
        return self


class VolunteerAnswer(Answer):
    """A volunteer's means of signing in. The recovery code is shown this once."""

    volunteer_id: str
    token: str
    recovery_code: str


class SessionAnswer(Answer):
    """Whose session it is; `csrf` goes with every request that changes something."""

    person_id: str
    role: str
    csrf: str
