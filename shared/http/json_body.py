"""A JSON body read by the route itself: what FastAPI's own reading takes and refuses, in the same words."""

from json import JSONDecodeError
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from shared.http.problems import Problem, unreadable

B = TypeVar("B", bound=BaseModel)


async def json_body(request: Request, model: type[B]) -> B:
    """The body as `model`. Raises `Problem` for what is no JSON, `RequestValidationError` for what does not fit."""
    content = await _content(request)
    try:
        return model.model_validate(content, from_attributes=True)
    except ValidationError as error:
        told = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise RequestValidationError(told) from None


async def _content(request: Request) -> Any:
    try:
        if not _is_json(request.headers.get("content-type", "")):
            return await request.body()
        # The standard parser, not pydantic's: it tells half a character apart from broken JSON.
        return await request.json() if await request.body() else None
    except JSONDecodeError as error:
        told = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "", "ctx": {"error": error.msg}}
        raise RequestValidationError([told]) from None
    except ClientDisconnect:
        text = "The connection broke before the whole body was there. Send it again."
        raise Problem(400, "body_incomplete", text) from None
    except (RecursionError, ValueError) as error:
        raise unreadable(error) from error


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
