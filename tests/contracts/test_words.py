"""The glossary names every capability that is there, and a class name means one thing."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("services/ingest", "services/moderation", "services/publisher", "services/metrics", "shared")


def _capabilities() -> set[str]:
    folders = (folder for package in PACKAGES for folder in (ROOT / package).iterdir())
    return {
        folder.relative_to(ROOT).as_posix().removeprefix("services/")
        for folder in folders
        if (folder / "__init__.py").is_file()
    }


def test_the_glossary_explains_every_capability_and_none_that_is_gone() -> None:
    text = (ROOT / "docs/glossary.md").read_text()

    assert set(re.findall(r"^\| `([a-z_]+/[a-z_]+)` \|", text, re.MULTILINE)) == _capabilities()


def test_a_class_name_is_defined_once_in_the_whole_product() -> None:
    defined = defaultdict(list)
    for package in ("services", "shared", "deploy"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    defined[node.name].append(path.relative_to(ROOT).as_posix())

    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}
