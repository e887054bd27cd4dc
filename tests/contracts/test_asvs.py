"""The table of the verification standard leaves nothing out, and everything it names is there."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
ROWS: Final = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs/asvs.md").read_text().splitlines()
    if line.startswith("| V")
]
NAMED: Final = sorted(
    {name for row in ROWS for name in re.findall(r"`([^`]+)`", row[3]) if "/" in name or "." in name}
)
SECTIONS: Final = {
    "1": (2, 9, 11, 3, 2),
    "2": (3, 3, 4, 1),
    "3": (0, 2, 4, 6, 5, 0, 2),
    "4": (3, 1, 2, 4),
    "5": (1, 3, 2, 3),
    "6": (3, 12, 4, 4, 5, 3, 0, 4),
    "7": (3, 4, 2, 5, 2, 2),
    "8": (2, 3, 1, 1),
    "9": (3, 4),
    "10": (2, 2, 4, 11, 5, 2, 3),
    "11": (2, 3, 3, 4, 1, 1),
    "12": (3, 2, 4),
    "13": (1, 5, 2, 5),
    "14": (2, 4, 3),
    "15": (3, 3, 7),
    "16": (1, 5, 4, 3, 3),
    "17": (1, 4, 2),
}
"""How many requirements of levels 1 and 2 each section has, by chapter; those of level 3 come after them or alone."""


def test_every_requirement_of_both_levels_has_one_row() -> None:
    wanted = [
        f"V{chapter}.{section}.{number}"
        for chapter, sizes in SECTIONS.items()
        for section, size in enumerate(sizes, start=1)
        for number in range(1, size + 1)
    ]

    listed = [number.strip() for row in ROWS for number in row[0].split(",")]

    assert len(wanted) == 253
    assert sorted(listed) == sorted(wanted)


def test_every_row_says_where_we_stand() -> None:
    for row in ROWS:
        assert row[2] in {"met", "partly", "no", "–"}, row
        assert row[3] or row[2] == "–", f"{row[0]} is {row[2]} without a word"
        if row[2] == "met":
            assert re.search(r"`[^`]+`", row[3]) or row[0].startswith("V1.4"), f"{row[0]} shows no evidence"


@pytest.mark.parametrize("name", [name for name in NAMED if not name.startswith("GATEWAY")])
def test_what_is_named_as_evidence_is_there(name: str) -> None:
    path, _, test = name.partition("::")

    assert (ROOT / path).exists()
    assert not test or f"def {test}(" in (ROOT / path).read_text()
