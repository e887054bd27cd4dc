"""What the API says of an upload beside tus's own headers."""

from typing import Annotated, Self

from pydantic import Field

from services.ingest.uploads.protocol import State, Upload
from shared.events import MediaType, Sha256
from shared.http.models import Answer


class CleanMedia(Answer):
    """A photo or video as it left the safety pass."""

    sha256: Sha256
    type: MediaType
    bytes: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    """Pixels, after orientation was applied."""
    height: Annotated[int, Field(gt=0)]
    duration: float | None
    """Seconds, for a video."""


class UploadRefusal(Answer):
    """Why a file is not taken."""

    code: str
    detail: str


class UploadAnswer(Answer):
    """What became of an upload."""

    upload_id: str
    state: State
    offset: int
    """Bytes that have arrived."""
    length: int
    """Bytes that were announced."""
    media: CleanMedia | None
    refusal: UploadRefusal | None

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """It, as it is shown."""
        media, refusal = upload.media, upload.refusal
        return cls(
            upload_id=upload.id,
            state=upload.state,
            offset=upload.offset,
            length=upload.length,
            media=CleanMedia(**media.model_dump(exclude={"alt"})) if media else None,
            refusal=UploadRefusal(code=refusal.code, detail=refusal.detail) if refusal else None,
        )
