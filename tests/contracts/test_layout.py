"""Where tests live: beside nothing but the source they mirror, and never inside one another."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = sorted(ROOT.glob("tests/**/test_*.py"))
MIRRORED = ("unit", "broker", "storage")
"""Layers that look at one file at a time."""


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_module_imports_another(path: Path) -> None:
    others = {str(each.relative_to(ROOT).with_suffix("")).replace("/", ".") for each in TESTS}

    assert others & set(imported(path)) == set()


def test_every_folder_of_tests_mirrors_one_of_the_source() -> None:
    folders = {path.parent for path in TESTS if path.relative_to(ROOT / "tests").parts[0] in MIRRORED}

    lost = []
    for folder in folders:
        parts = folder.relative_to(ROOT / "tests").parts[1:]
        if parts and not any((ROOT / top / Path(*parts)).is_dir() for top in (".", "services")):
            lost.append(str(folder.relative_to(ROOT)))
    assert sorted(lost) == []
