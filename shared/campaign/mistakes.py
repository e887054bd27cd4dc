"""What is wrong with a campaign file, in words that help. Pure."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from pydantic_core import ErrorDetails

from shared.campaign import located_yaml

Mistake = tuple[located_yaml.Path, str]
"""Where in the file, and what in words."""
UNOFFICIAL = ("_user", "_web", "_private", "_unofficial", "userbot", "selfbot", "_scraper")
"""What the kind of a channel is called when it would need a client that the network does not offer."""


def sentences(
    errors: list[ErrorDetails], known: Mapping[str, Sequence[str]], kinds: Sequence[str]
) -> list[Mistake]:
    """Pydantic's complaints in words, but for a list that is short only because its items were refused.

    `known` holds the keys known below each key of the file, under "" those of the file itself.
    """
    inner = [error["loc"] for error in errors]
    return [
        _sentence(error, known, kinds)
        for error in errors
        if error["type"] != "too_short"
        or not any(loc[: len(error["loc"])] == error["loc"] != loc for loc in inner)
    ]


def _sentence(error: ErrorDetails, known: Mapping[str, Sequence[str]], kinds: Sequence[str]) -> Mistake:  # noqa: PLR0911 — one case per kind of mistake
    """Where Pydantic's complaint belongs, and the complaint in words that help."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    name = ".".join(str(part) for part in path)
    given = "(not shown)" if "credentials" in path else error["input"]
    match error["type"]:
        case "extra_forbidden":
            keys = known.get(str(path[0]) if len(path) > 1 else "", known[""])
            close = get_close_matches(str(path[-1]), keys, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known here are {', '.join(keys)}"
            return path, f"unknown key {path[-1]!r}; {hint}"
        case "missing":
            return path, f"{path[-1]!r} is missing in {'.'.join(map(str, path[:-1])) or 'the file'}; add it"
        case "literal_error" if path[-1] == "kind":
            if any(mark in str(given) for mark in UNOFFICIAL):
                return (
                    path,
                    f"kind {given!r} would need an unofficial client, which we do not use; take it out",
                )
            close = get_close_matches(str(given), kinds, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"write one of {', '.join(kinds)}"
            return path, f"unknown kind {given!r}; {hint}"
        case "value_error":
            return path, f"{name}: {error['msg'].removeprefix('Value error, ')}"
        case "string_type":
            return path, f"{name}: {given!r} must be text; put it in quotes"
        case "tuple_type":
            return path, f"{name}: {given!r} must be a list; write [{given}]"
        case "string_pattern_mismatch":
            return path, f"{name}: {given!r} is no id; write up to 32 of a-z, 0-9, _ and -, a letter first"
        case _:
            return path, f"{name}: {error['msg']}"
