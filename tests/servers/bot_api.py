"""Whether a request is one the Bot API takes, judged by aiogram's types, which the adapter's author did not write.

aiogram lets unknown fields pass; we don't. What its types can't say (lengths in UTF-16 units, sizes, files that are
named but not sent) is checked here with the limits of the Bot API's documentation and its own words for errors.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiogram import methods
from PIL import Image
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request

from tests.servers.plain import Incoming

TEXT, CAPTION = 4096, 1024
PHOTO_BYTES, FILE_BYTES = 10_000_000, 50_000_000
ALBUM = range(2, 11)
_FILE_FIELDS = {"sendPhoto": "photo", "sendVideo": "video"}


class BadRequestError(Exception):
    """The Bot API answers 400 with this description."""


@dataclass(frozen=True, slots=True)
class File:
    type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed: the method's model by aiogram, and the files in the order in which they are shown."""

    model: Any
    files: tuple[File, ...]


async def judge(method: str, request: Incoming) -> Call:
    """The call in `request`. Raises `BadRequestError`."""
    shape = getattr(methods, method[:1].upper() + method[1:], None)
    if shape is None:
        raise BadRequestError(f"unknown method {method}")
    fields, files = await _read(request)
    try:
        model = shape.model_validate({name: _value(shape, name, value) for name, value in fields.items()})
    except ValidationError as error:
        where = error.errors()[0]
        raise BadRequestError(f"{'.'.join(map(str, where['loc']))}: {where['msg']}") from error
    if unknown := list(_unknown(model)):
        raise BadRequestError(f"unknown fields: {', '.join(unknown)}")
    shown = _shown(method, model)
    used = tuple(_file(reference, files) for reference in shown)
    if len(used) != len(files):
        raise BadRequestError("a file was sent that nothing refers to")
    _check(method, model, used)
    return Call(model, used)


async def _read(request: Incoming) -> tuple[dict[str, Any], dict[str, File]]:
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        return dict(json.loads(request.body)), {}
    if not kind.startswith("multipart/form-data"):
        raise BadRequestError("neither JSON nor multipart/form-data")
    headers = [(name.encode(), value.encode("latin-1")) for name, value in request.headers.items()]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    parsed = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    async with parsed.form(max_part_size=1 << 20) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = {
            name: File(value.content_type or "", await value.read())
            for name, value in form.multi_items()
            if isinstance(value, UploadFile)
        }
    return fields, files


def _value(shape: Any, name: str, value: Any) -> Any:
    """Form values of structured fields are JSON, as the Bot API wants them."""
    if not isinstance(value, str) or name in {"chat_id", "text", "caption", "photo", "video"}:
        return value
    try:
        return json.loads(value) if name in shape.model_fields else value
    except ValueError as error:
        raise BadRequestError(f"can't parse {name}") from error


def _unknown(value: Any, path: str = "") -> Any:
    if isinstance(value, BaseModel):
        yield from (f"{path}{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _unknown(item, f"{path}{index}.")


def _shown(method: str, model: Any) -> list[str]:
    if method == "sendMediaGroup":
        return [str(item.media) for item in model.media]
    field = _FILE_FIELDS.get(method)
    return [] if field is None else [str(getattr(model, field))]


def _file(reference: str, files: Mapping[str, File]) -> File:
    file = files.get(reference.removeprefix("attach://")) if reference.startswith("attach://") else None
    if file is None:
        raise BadRequestError("wrong file identifier/HTTP URL specified")
    return file


def _check(method: str, model: Any, files: tuple[File, ...]) -> None:
    if method == "sendMessage":
        _check_text(model.text, model.entities, TEXT, "message is too long")
        if not model.text.strip():
            raise BadRequestError("message text is empty")
    if method in _FILE_FIELDS:
        _check_text(model.caption, model.caption_entities, CAPTION, "message caption is too long")
        _check_file(method.removeprefix("send").lower(), files[0])
    if method == "sendMediaGroup":
        if len(model.media) not in ALBUM:
            raise BadRequestError("wrong number of media in the album")
        for item, file in zip(model.media, files, strict=True):
            _check_text(item.caption, item.caption_entities, CAPTION, "message caption is too long")
            _check_file(item.type, file)


def _check_text(text: str | None, entities: Any, limit: int, complaint: str) -> None:
    units = (text or "").encode("utf-16-le")
    if len(units) // 2 > limit:
        raise BadRequestError(complaint)
    for entity in entities or ():
        stretch = units[entity.offset * 2 : (entity.offset + entity.length) * 2]
        try:
            whole = stretch.decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise BadRequestError("an entity tears a character apart") from error
        if entity.length < 1 or len(stretch) != entity.length * 2 or not whole.strip():
            raise BadRequestError("an entity is not within the text")


def _check_file(kind: str, file: File) -> None:
    if kind == "video":
        if len(file.content) > FILE_BYTES:
            raise BadRequestError("file is too big")
        if file.type != "video/mp4" or file.content[4:8] != b"ftyp":
            raise BadRequestError("wrong type of the video")
        return
    if len(file.content) > PHOTO_BYTES:
        raise BadRequestError("file is too big for a photo")
    try:
        with Image.open(io.BytesIO(file.content), formats=["JPEG", "PNG", "WEBP"]) as image:
            width, height = image.size
    except OSError as error:
        raise BadRequestError("IMAGE_PROCESS_FAILED") from error
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise BadRequestError("PHOTO_INVALID_DIMENSIONS")
