"""A browser's form, and which of its fields a mistake belongs to. Pure."""

from collections.abc import Iterable, Sequence
from typing import Protocol


class Fields(Protocol):
    """A form as the framework has parsed it."""

    def get(self, key: str) -> object:
        """The first value under a name, or nothing."""
        ...

    def getlist(self, key: str) -> Sequence[object]:
        """All values under a name."""
        ...


def fields_of(mistakes: Iterable[str]) -> list[str]:
    """The fields that mistakes belong to, each once."""
    return list(dict.fromkeys(field_of(name) for name in mistakes))


def field_of(name: str) -> str:
    """The field of the page that a mistake in `name` belongs to."""
    if name.startswith("media.") and name.endswith(".alt"):
        return "alt"
    first = name.partition(".")[0]
    return "terms" if name == "consent.terms_version" else first


def one(fields: Fields, name: str) -> str:
    """The text under a name, with plain line ends; empty where there is none."""
    value = fields.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def all_of(fields: Fields, name: str) -> list[str]:
    """All texts under a name, with plain line ends."""
    return [value.replace("\r\n", "\n") for value in fields.getlist(name) if isinstance(value, str)]
