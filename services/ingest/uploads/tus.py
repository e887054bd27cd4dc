"""Resumable uploads over HTTP: a tus 1.0.0 server at `/v1/uploads`.

Extensions: creation, creation-with-upload, termination, checksum, expiration. Errors keep tus's status codes and carry a
problem document. `Location` is relative, so that it resolves behind any prefix.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from services.ingest.uploads import telemetry
from services.ingest.uploads.chunks import CHECKSUM_MISMATCH, Incoming, Quarantine, conflict, too_long
from services.ingest.uploads.protocol import (
    ALGORITHMS,
    Upload,
    UploadLimits,
    parse_checksum,
    parse_metadata,
    require_length,
    require_type,
    shown_metadata,
    told_type,
    whole_number,
)
from services.ingest.uploads.schemas import UploadAnswer
from services.ingest.uploads.store import Uploads
from shared.http.models import refused
from shared.http.problems import Problem
from shared.identity.tokens import Guard, Principal
from shared.storage.media import StorageFull

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum,expiration"
CONTENT_TYPE: Final = "application/offset+octet-stream"
ONE: Final = "/{upload_id}"

_PROTOCOL: Final = {
    "name": "Tus-Resumable",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "enum": [VERSION]},
}


def _header(name: str, pattern: str, says: str, *, required: bool = False) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": says}


_BASE64: Final = "(?:[A-Za-z0-9+/]{4}){0,60}"
_CHECKSUM: Final = _header(
    "Upload-Checksum",
    f"^(?:{'|'.join(ALGORITHMS)}) {_BASE64}$",
    "An algorithm and the body's digest in Base64.",
)
_BYTES: Final = {"content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
_CREATION: Final[dict[str, Any]] = {
    "parameters": [
        _PROTOCOL,
        _header("Upload-Length", "^[0-9]{1,18}$", "How many bytes the file has.", required=True),
        _header(
            "Upload-Metadata",
            f"^(?:[a-z]{{1,20}} {_BASE64}(?:,[a-z]{{1,20}} {_BASE64}){{0,5}})?$",
            "Pairs of a key and a value in Base64, by commas: `filetype`, `filename`.",
        ),
        _CHECKSUM,
    ],
    "requestBody": _BYTES,
}
_APPENDING: Final[dict[str, Any]] = {
    "parameters": [
        _PROTOCOL,
        _header(
            "Upload-Offset", "^[0-9]{1,18}$", "At which byte of the file the body begins.", required=True
        ),
        _CHECKSUM,
    ],
    "requestBody": {**_BYTES, "required": True},
}
_ASKING: Final[dict[str, Any]] = {"parameters": [_PROTOCOL]}
"""What the routes read from the request themselves, for OpenAPI."""
_KNOWN: Final = refused(404, 410)
_WRITING: Final = refused(408, 409, 410, 415, CHECKSUM_MISMATCH, 507)


class TusRoute(APIRoute):
    """Checks the protocol's version and names it in every answer, refusals included."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def speak(request: Request) -> Response:
            try:
                _require_version(request)
                response = await handle(request)
            except Problem as problem:
                response = problem.response()
            except StorageFull:
                telemetry.store_full(request.path_params.get("upload_id", ""))
                response = _full().response()
            response.headers["Tus-Resumable"] = VERSION
            return response

        return speak


def routes(uploads: Uploads, quarantine: Quarantine, guard: Guard, limits: UploadLimits) -> APIRouter:  # noqa: C901, PLR0915 - a table of small routes
    """The routes of `/v1/uploads`."""
    router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=TusRoute)
    person = Annotated[Principal, Depends(guard.any)]

    async def find(upload_id: str, principal: person) -> Upload:
        upload = await uploads.find(upload_id)
        if upload is None or upload.owner != principal.person_id:
            raise Problem(404, "upload_unknown", "There is no such upload of yours. Begin a new one.")
        if upload.state == "gone":
            raise Problem(410, "upload_gone", "This upload was ended or has expired. Begin a new one.")
        return upload

    mine = Annotated[Upload, Depends(find)]

    @router.options("", include_in_schema=False)
    @router.options("/", include_in_schema=False)
    @router.options(ONE, include_in_schema=False)
    async def abilities() -> Response:
        return Response(
            status_code=204,
            headers={
                "Tus-Version": VERSION,
                "Tus-Extension": EXTENSIONS,
                "Tus-Max-Size": str(limits.video_bytes),
                "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            },
        )

    @router.post("/", include_in_schema=False)
    @router.post(
        "",
        status_code=201,
        response_class=Response,
        openapi_extra=_CREATION,
        responses={**_WRITING, **refused(412, 429)},
    )
    async def create(request: Request, principal: person) -> Response:
        """Begin an upload, with its first bytes if the body carries them."""
        metadata, now = parse_metadata(request.headers.get("upload-metadata", "")), datetime.now(UTC)
        require_type(metadata)
        upload = Upload(
            id=secrets.token_hex(16),
            owner=principal.person_id,
            length=require_length(request.headers.get("upload-length"), metadata, limits),
            filetype=told_type(metadata),
            created_at=now,
            expires_at=now + limits.lifetime,
        )
        carries = request.headers.get("content-type", "") == CONTENT_TYPE
        checksum = parse_checksum(request.headers.get("upload-checksum")) if carries else None
        await quarantine.require_room(upload.length, limits.spare_bytes)
        await uploads.create(upload)
        incoming = Incoming(uploads, quarantine, upload, checksum, limits)
        if carries:
            await incoming.begin()
            await _receive(request, incoming, limits)
        # Relative to the address that was asked: with a slash at its end, that is one level further down.
        below = "" if request.url.path.endswith("/") else "uploads/"
        return Response(
            status_code=201, headers={**_progress(upload, incoming.offset), "Location": below + upload.id}
        )

    @router.head(
        ONE,
        response_class=Response,
        openapi_extra=_ASKING,
        responses={**_KNOWN, **refused(412)},
    )
    async def progress(upload: mine) -> Response:
        """How far an upload has come."""
        headers = _progress(upload, upload.offset)
        headers |= {"Upload-Length": str(upload.length), "Cache-Control": "no-store"}
        if upload.filetype:
            headers["Upload-Metadata"] = shown_metadata(upload.filetype)
        return Response(status_code=200, headers=headers)

    @router.get(ONE, responses=_KNOWN)
    async def state(upload: mine, response: Response) -> UploadAnswer:
        """What became of an upload: its state, and the refusal or the clean media."""
        response.headers["Cache-Control"] = "no-store"
        return UploadAnswer.of(upload)

    @router.patch(ONE, status_code=204, openapi_extra=_APPENDING, responses={**_WRITING, **refused(412)})
    async def append(request: Request, upload: mine) -> Response:
        """Bring the bytes from `Upload-Offset` on."""
        if request.headers.get("content-type", "") != CONTENT_TYPE:
            raise Problem(415, "upload_content_type", f"The body of this request must be {CONTENT_TYPE}.")
        given = whole_number(request.headers.get("upload-offset"))
        if given is None:
            raise Problem(400, "upload_offset", "Upload-Offset must say at which byte the body begins.")
        if given != upload.offset:
            raise conflict()
        checksum = parse_checksum(request.headers.get("upload-checksum"))
        if given + (whole_number(request.headers.get("content-length")) or 0) > upload.length:
            raise too_long(upload)
        await quarantine.require_room(upload.length - upload.offset, limits.spare_bytes)
        incoming = Incoming(uploads, quarantine, upload, checksum, limits)
        await incoming.begin()
        await _receive(request, incoming, limits)
        return Response(status_code=204, headers=_progress(upload, incoming.offset))

    @router.delete(ONE, status_code=204, openapi_extra=_ASKING, responses={**_KNOWN, **refused(412)})
    async def terminate(upload: mine) -> Response:
        """End an upload and remove its bytes."""
        await uploads.terminate(upload, datetime.now(UTC))
        await quarantine.remove_all(upload.id)
        return Response(status_code=204)

    @router.post(ONE, include_in_schema=False)
    async def override(request: Request, upload: mine) -> Response:
        """For clients that can only GET and POST."""
        wanted = request.headers.get("x-http-method-override", "").upper()
        if wanted == "PATCH":
            return await append(request, upload)
        if wanted == "DELETE":
            return await terminate(upload)
        if wanted == "HEAD":
            return await progress(upload)
        raise Problem(
            405, "method_not_allowed", "Send PATCH, HEAD or DELETE, or name one in X-HTTP-Method-Override."
        )

    return router


async def _receive(request: Request, incoming: Incoming, limits: UploadLimits) -> None:
    """Take the body as it comes. Of a connection that breaks or falls silent, what arrived counts."""
    body = request.stream()
    try:
        while True:
            async with asyncio.timeout(limits.idle_seconds):
                data = await anext(body, None)
            if data is None:
                break
            await incoming.take(data)
    except ClientDisconnect:
        await incoming.break_off()
        return
    except TimeoutError:
        await incoming.break_off()
        raise Problem(
            408, "upload_idle", "Nothing arrived for a while. Go on from the offset that HEAD tells."
        ) from None
    except (Problem, StorageFull):
        await incoming.drop()
        raise
    await incoming.finish()


def _progress(upload: Upload, offset: int) -> dict[str, str]:
    headers = {"Upload-Offset": str(offset)}
    if upload.expires_at is not None:
        headers["Upload-Expires"] = format_datetime(upload.expires_at.astimezone(UTC), usegmt=True)
    return headers


def _require_version(request: Request) -> None:
    if request.method not in {"OPTIONS", "GET"} and request.headers.get("tus-resumable") != VERSION:
        raise Problem(
            412,
            "upload_version",
            f"This server speaks tus {VERSION}. Send the header `Tus-Resumable: {VERSION}`.",
            headers={"Tus-Version": VERSION},
        )


def _full() -> Problem:
    return Problem(
        507,
        "storage_full",
        "There is no room for this at the moment. What arrived before is kept; go on with the upload later.",
        headers={"Retry-After": "60"},
    )
