"""Where tests live: beside nothing but the source they mirror, and never inside one another."""

import ast
import re
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


def guide() -> dict[str, str]:
    """The tables of CONTRIBUTING.md by the head of their first column, as they are written."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return {
        match[1]: match[2]
        for match in re.finditer(r"^\| (.+?) \|.*\n\| --- \|.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    }


def test_contributors_are_led_to_files_that_are_there() -> None:
    named = re.findall(r"`((?:services|shared|deploy|tests)/[^`]+)`", guide()["To change"])

    assert len(named) > 20
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_contributors_are_told_what_every_folder_holds() -> None:
    told = set(re.findall(r"`((?:deploy|tests)/[^`]+)`", guide()["Folder"]))
    there = {
        folder.relative_to(ROOT).as_posix()
        for top in ("deploy", "tests")
        for folder in (ROOT / top).iterdir()
        if folder.is_dir()
        and any(each.is_file() for each in folder.iterdir())
        and folder.name != "__pycache__"
    }

    assert told == there


MOST_FILES = 12
FULLER = {
    "services/publisher/deliveries": 15,
    "services/ingest/media_safety": 13,
    "services/metrics/counting": 12,
}
"""Folders that hold more, each one thing: a delivery and its machine, the safety pass."""


def test_no_folder_holds_more_than_a_reader_takes_in_at_a_glance() -> None:
    counted = {
        folder.relative_to(ROOT).as_posix(): len(
            [each for each in folder.glob("*.py") if each.name != "__init__.py"]
        )
        for top in ("services", "shared", "deploy")
        for folder in (ROOT / top).rglob("*")
        if folder.is_dir()
    }

    assert {name: count for name, count in counted.items() if count > FULLER.get(name, MOST_FILES)} == {}
