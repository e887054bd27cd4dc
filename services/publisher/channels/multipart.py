"""A `multipart/form-data` body that streams its files, so that a video never stands in memory whole.

Its length is known beforehand (files have their exact size), so servers that refuse chunked bodies take it.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.failures import Unavailable
from shared.storage.media import StorageFull


class MediaLostError(Exception):
    """A file could not be read whole from our store: the body was never finished, nothing came of it."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file: form field and file name (ours: plain ASCII), type, exact size in bytes, content."""

    field: str
    filename: str
    type: str
    size: int
    content: Callable[[], AsyncIterator[bytes]]


class Multipart:
    """The body. Iterate it once; send it with `headers`."""

    def __init__(self, fields: Mapping[str, str], files: Sequence[FilePart], boundary: str) -> None:
        self._boundary = boundary
        self._head = b"".join(
            _opening(boundary, f'name="{name}"') + value.encode() + b"\r\n" for name, value in fields.items()
        )
        self._files = tuple(files)
        self._tail = f"--{boundary}--\r\n".encode()

    @property
    def headers(self) -> dict[str, str]:
        """What the request must say about its body."""
        length = len(self._head) + len(self._tail)
        length += sum(len(self._opening(file)) + file.size + 2 for file in self._files)
        return {
            "content-type": f"multipart/form-data; boundary={self._boundary}",
            "content-length": str(length),
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes, in order. Raises `MediaLostError`."""
        yield self._head
        for file in self._files:
            yield self._opening(file)
            async for chunk in _whole(file):
                yield chunk
            yield b"\r\n"
        yield self._tail

    def _opening(self, file: FilePart) -> bytes:
        disposition = f'name="{file.field}"; filename="{file.filename}"'
        return _opening(self._boundary, disposition, file.type)


def _opening(boundary: str, disposition: str, content_type: str | None = None) -> bytes:
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{kind}\r\n".encode()


async def _whole(file: FilePart) -> AsyncIterator[bytes]:
    sent = 0
    try:
        async for chunk in file.content():
            sent += len(chunk)
            if sent > file.size:
                break
            yield bytes(chunk)
    except (Unavailable, StorageFull, FileNotFoundError) as error:
        raise MediaLostError(f"{file.filename} cannot be read from the media store") from error
    if sent != file.size:
        raise MediaLostError(f"{file.filename} is not the {file.size} bytes it was when it was approved")
