"""Links between the repository's documents lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", ".konullu", "node_modules", ".pytest_cache"} & set(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"!?\[[^\]]*]\(<?([^)>\s]+)>?[^)]*\)")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+\s+(.*)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    dead = []
    for target in LINK.findall(text):
        if ELSEWHERE.match(target):
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path).resolve() if path else document
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in _anchors(there)):
            dead.append(target)

    assert dead == []
