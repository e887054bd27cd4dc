"""A text of the terms, taken apart into what a page shows. Pure."""

from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class TermsPart:
    """A heading, a paragraph, or a list."""

    text: str = ""
    heading: bool = False
    items: tuple[str, ...] = ()


def parts_of(text: str) -> tuple[TermsPart, ...]:
    """The parts of a text. A line after `# ` is a heading, lines after `- ` are a list; an empty line ends a paragraph."""
    lines = [line.strip() for line in text.splitlines()]
    return tuple(
        _part(kind, [line for _, line in run])
        for (kind, _), run in groupby(enumerate(lines), _run_of)
        if kind != "empty"
    )


def _run_of(numbered: tuple[int, str]) -> tuple[str, int]:
    """What a line is, and which run it belongs to: each heading stands alone."""
    number, line = numbered
    if line.startswith("# "):
        return "heading", number
    kind = "text" if line else "empty"
    return "list" if line.startswith("- ") else kind, -1


def _part(kind: str, lines: list[str]) -> TermsPart:
    if kind == "heading":
        return TermsPart(lines[0].removeprefix("# ").strip(), heading=True)
    if kind == "list":
        return TermsPart(items=tuple(line.removeprefix("- ").strip() for line in lines))
    return TermsPart(" ".join(lines))
