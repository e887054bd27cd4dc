"""YAML read together with the line on which each value stands, so that a mistake is shown where it was made.

Stricter than stock YAML 1.1 where that bites people: `NO` is Norway and not false, a date stays the text that
was typed, and a key given twice is an error instead of a silent last-one-wins.
"""

from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]


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
    """Safe YAML with YAML 1.2's booleans and without dates."""


_PLAIN = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _PLAIN or first in "tfTF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


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
    lines.setdefault(path, node.start_mark.line + 1)
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
