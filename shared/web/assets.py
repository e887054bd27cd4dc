"""The static files of a service: its own and the shared ones. Their address changes with their content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_SHARED: Final = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files of a service, read once.

    One version stands for all of them, so that modules import each other by relative paths.
    """

    prefix: str
    version: str
    files: Mapping[str, Asset]

    @classmethod
    def load(cls, own: Path, prefix: str) -> "Assets":
        """The files in `own` and, under `shared/`, those of every service.

        `prefix` is where they are served, without the version.
        """
        files = {f"shared/{name}": asset for name, asset in _read(_SHARED).items()} | _read(own)
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(name.encode() + b"\0" + hashlib.sha256(files[name].body).digest())
        return cls(prefix=prefix, version=digest.hexdigest()[:12], files=files)

    def url(self, name: str) -> str:
        """Where a file is served. Raises `KeyError` for a file that does not exist."""
        if name not in self.files:
            raise KeyError(name)
        return f"{self.prefix}/{self.version}/{name}"


def _read(folder: Path) -> dict[str, Asset]:
    return {
        path.relative_to(folder).as_posix(): Asset(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES
    }
