"""Where signing began: a home that is older than signatures has checkpoints and decisions without one.

The mark is written once, beside the key, and names the last checkpoint that may be unsigned and its hash. So nobody who
owns the database alone can take signatures away and call the rest old.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from services.moderation.cases.audit_trail import START

FILE: Final = "audit.json"


@dataclass(frozen=True, slots=True)
class UnsignedMark:
    """Checkpoints up to number `until`, of which the last has this `hash`, may be unsigned, and decisions in them."""

    until: int = 0
    hash: str = START

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The mark at `path`, if there is one. Raises `ValueError` when the file holds something else."""
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError):
            message = f"{path} holds no mark of where signing began; put the right one back from a copy"
            raise ValueError(message) from None

    def write_once(self, path: Path) -> None:
        """Keep it at `path`, unless there is one."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link fails where a rename would replace one that another process has made in the meantime.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
