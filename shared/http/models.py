"""What the models of HTTP bodies and answers have in common."""

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class StrictBody(BaseModel):
    """A request's body, or a part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_fields_only(cls, given: Any) -> Any:
        unknown = [name for name in given if name not in cls.model_fields] if isinstance(given, dict) else []
        if unknown:
            # JSON can name half a character, which no answer could quote.
            name, known = str(unknown[0])[:60].encode("utf-8", "replace").decode(), list(cls.model_fields)
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            message = "there is no field {name}; {hint}"
            raise PydanticCustomError("unknown_field", message, {"name": name, "hint": hint})
        return given


class Answer(BaseModel):
    """An answer, or a part of it."""

    model_config = ConfigDict(frozen=True)
