"""YAML read together with the line on which each value stands, so that a mistake is shown where it was made.

Stricter than stock YAML 1.1 where that bites people: `NO` is Norway and not false, a date or a time of day stays the
text that was typed, `010` is refused instead of read as eight, and a key given twice is an error instead of a silent
last-one-wins.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

Path = tuple[str | int, ...]
DEEPEST: Final = 20
"""Levels of lists and keys within one another."""
MOST: Final = 20_000
"""Values of a document, those counted again that an alias repeats."""


class YamlMistakeError(Exception):
    """The text is not one YAML document of plain values. `line` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


@dataclass(frozen=True, slots=True)
class Located:
    """A document's plain value, and the line (from 1) of each key and list item by its path."""

    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of `path`, or of the nearest thing around it that was written down."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Loader(yaml.SafeLoader):
    """Safe YAML with YAML 1.2's booleans and numbers, without dates, and not deeper than anybody writes."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """See `yaml.composer.Composer`."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise _too_deep(self.line + 1)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - as it is there
        """See `yaml.constructor.BaseConstructor`. A tag may promise a number or a date that the text is not."""
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:  # also for more digits than Python reads
            raise YamlMistakeError(node.start_mark.line + 1, f"this value cannot be read: {error}") from error


_NUMBERS: Final = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "tag:yaml.org,2002:float": re.compile(
        r"\A(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
    ),
}
"""As YAML 1.2 has them: no `1:30` for ninety, no `1_000`."""
_OTHER_BASE: Final = re.compile(r"[-+]?0[0-9_]+|[-+]?0[bBoOxX][0-9a-fA-F_]+")
"""What programs read as a number of another base, or do not agree on."""
_PLAIN: Final = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile(f"(?:{_NUMBERS[tag].pattern})$") if tag in _NUMBERS else pattern)
        for tag, pattern in resolvers
        if tag not in _PLAIN or first in "tfTF"
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _too_deep(line: int) -> YamlMistakeError:
    return YamlMistakeError(line, f"this is nested more than {DEEPEST} levels deep; write it flat")


def read(text: bytes) -> Located:
    """The one document in `text` (UTF-8). Raises `YamlMistakeError`."""
    try:
        loader = _Loader(text.decode())
        root = loader.get_single_node()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise YamlMistakeError(line, "this is not UTF-8; save the file as UTF-8") from error
    except yaml.reader.ReaderError as error:
        line = text.decode()[: error.position].count("\n") + 1
        raise YamlMistakeError(line, f"character {error.character!r} is not allowed in YAML") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlMistakeError(line, f"this is not YAML: {error.problem or error.context}") from error
    if root is None:
        return Located({}, {(): 1})
    lines: dict[Path, int] = {}
    _locate(root, (), lines)
    try:
        value = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlMistakeError(line, f"this is not a plain value: {error.problem}") from error
    return Located(value, lines)


def _locate(node: yaml.Node, path: Path, lines: dict[Path, int]) -> None:
    here = node.start_mark.line + 1
    if len(path) > DEEPEST:  # an alias to what it stands in
        raise _too_deep(here)
    if len(lines) > MOST:
        raise YamlMistakeError(
            here, f"this has more than {MOST} values; take out the aliases that repeat them"
        )
    lines.setdefault(path, here)
    if isinstance(node, yaml.ScalarNode) and node.style is None and _OTHER_BASE.fullmatch(node.value):
        text = f"{node.value!r} could be read in more than one way; write a number without a 0 in front, text in quotes"
        raise YamlMistakeError(here, text)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise YamlMistakeError(line, "a key must be one word")
            if key.value in seen:
                raise YamlMistakeError(line, f"{key.value!r} is given twice here; keep one of them")
            seen.add(key.value)
            lines[(*path, key.value)] = line
            _locate(value, (*path, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _locate(value, (*path, index), lines)
