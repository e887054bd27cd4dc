"""What the models of HTTP bodies and answers have in common."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

_HALF: Final = re.compile("[\ud800-\udfff]")


class StrictBody(BaseModel):
    """A request's body, or a part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_fields_of_whole_characters(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        unknown = [name for name in given if name not in cls.model_fields]
        if unknown:
            # JSON can name half a character, which no answer could quote.
            name, known = str(unknown[0])[:60].encode("utf-8", "replace").decode(), list(cls.model_fields)
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            message = "there is no field {name}; {hint}"
            raise PydanticCustomError("unknown_field", message, {"name": name, "hint": hint})
        for name, value in given.items():
            if _holds_half(value):
                message = "{name} holds half a character, which is no text; take it out"
                raise PydanticCustomError("half_character", message, {"name": name})
        return given


def _holds_half(value: Any) -> bool:
    """Whether a text in it holds a surrogate alone, which JSON can escape and nothing behind us can store or send."""
    match value:
        case str():
            return not value.isascii() and _HALF.search(value) is not None
        case dict():
            return any(_holds_half(name) or _holds_half(inner) for name, inner in value.items())
        case list() | tuple():
            return any(map(_holds_half, value))
        case _:
            return False


class Answer(BaseModel):
    """An answer, or a part of it."""

    model_config = ConfigDict(frozen=True)


class FieldProblem(Answer):
    """What is wrong with one field of a body, or one parameter."""

    field: str
    message: str
    given: str
    """The value, shortened."""


class ProblemAnswer(Answer):
    """A refusal (RFC 9457). Members beside these belong to its type."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    """`urn:konullu:problem:<code>`; the code is stable."""
    title: str
    status: int
    detail: str
    """What was wrong, with which value, and what to do."""
    errors: tuple[FieldProblem, ...] = ()
    """Each field that is wrong, where there are any."""


class KeyAnswer(Answer):
    """A public key (RFC 8037)."""

    kty: str
    crv: str
    use: str
    alg: str
    kid: str
    x: str


class KeySetAnswer(Answer):
    """A set of public keys (RFC 7517)."""

    keys: tuple[KeyAnswer, ...]


REFUSALS: Final[Mapping[int, str]] = {
    400: "It cannot be read: a header that is there twice, a body that is no JSON in UTF-8.",
    401: "Nobody is signed in, or the token or session counts no more.",
    403: "It lies outside the person's role or scopes, or the request came from another site.",
    404: "There is no such thing, or none that this person may know of.",
    405: "The address knows other methods.",
    408: "Nothing arrived for too long.",
    409: "It does not fit what is there now: another was first, or it is decided already.",
    410: "It was there and is gone.",
    412: "The protocol's version is missing or another one.",
    413: "It is longer than it may be.",
    415: "Bodies or files of this kind are not taken.",
    416: "There are no such bytes of it.",
    422: "A field or parameter does not fit; `errors` names each.",
    429: "Too many of them for now; `Retry-After` says when to go on.",
    460: "What arrived does not match its checksum.",
    503: "Our own store or bus is away; the same can be sent again after `Retry-After` seconds.",
    507: "There is no room for it at the moment.",
}
"""What a status means wherever it comes."""


def refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the refusals that it knows besides those that come everywhere."""
    return {status: {"description": REFUSALS[status]} for status in statuses}
