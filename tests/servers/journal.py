"""What a test server remembers: JSON lines in a file, read again when it starts, so that it survives its own restart."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._known = list(_whole_lines(path)) if path.exists() else []
        self._file = path.open("a", encoding="utf-8")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(tuple(self._known))

    def write(self, event: str, **facts: Any) -> None:
        entry = {"event": event, **facts}
        self._known.append(entry)
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """A line torn by a kill is the last one, and nothing of it was answered."""
    *lines, torn = path.read_text(encoding="utf-8").split("\n")
    if torn:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    yield from (json.loads(line) for line in lines)
