"""The audit trail shows every change made to it."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.moderation.cases import audit_trail as chain

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def trail(length: int = 3) -> list[dict[str, Any]]:
    entries: list[chain.AuditEntry] = []
    for number in range(length):
        last = entries[-1] if entries else None
        details = {"revision": number, "reasons": ["other"], "note": None}
        entries.append(
            chain.append(
                last, case="c", at=NOW, actor=f"p{number}", action="approved", content="ab", details=details
            )
        )
    return [entry.document() for entry in entries]


def test_an_untouched_trail_has_no_fault() -> None:
    assert chain.fault("c", trail()) is None
    assert chain.fault("c", []) is None


@given(data=st.data())
def test_a_change_of_any_character_names_the_entry(data: st.DataObject) -> None:
    entries = trail()
    number = data.draw(st.integers(0, 2))
    field = data.draw(st.sampled_from(["case", "at", "actor", "action", "content", "prev", "hash"]))
    value: str = entries[number][field]
    place = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(exclude_characters=value[place], exclude_categories=["Cs"]))
    entries[number][field] = value[:place] + other + value[place + 1 :]

    found = chain.fault("c", entries)

    assert found is not None
    assert found.startswith(f"case c, entry {number + 1}:")


@pytest.mark.parametrize(
    "tamper",
    [
        lambda entries: entries.pop(0),
        lambda entries: entries.pop(1),
        lambda entries: entries.reverse(),
        lambda entries: entries.insert(1, copy.deepcopy(entries[1])),
        lambda entries: entries[1].pop("actor"),
        lambda entries: entries[1].update(extra=1),
        lambda entries: entries[1].update(seq=5),
        lambda entries: entries[1]["details"].update(revision=9),
        lambda entries: entries[1]["details"].update(note="x"),
        lambda entries: entries[1]["details"]["reasons"].clear(),
        lambda entries: entries[1].update(details=object()),
    ],
)
def test_a_trail_that_was_rearranged_has_a_fault(tamper: Any) -> None:
    entries = trail()
    tamper(entries)

    assert chain.fault("c", entries) is not None


def test_a_trail_of_another_case_has_a_fault() -> None:
    assert chain.fault("d", trail()) == "case d, entry 1: it belongs elsewhere"
