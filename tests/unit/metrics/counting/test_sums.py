"""The counters say what the plain sum of all events says, whatever the order and the repetition."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.counting.delivery_reach import (
    JournalEntry,
    KnownReach,
    admit_clicks,
    admit_delivery,
    admit_samples,
    slots_of,
)
from services.metrics.counting.documents import account_document, accounts_in, additions
from services.metrics.counting.journal import document_of, entry_in
from services.metrics.counting.model import click_of, delivery_of, sample_of
from services.metrics.counting.sums import ALL_TIME, GROUPINGS, Table, key_of, name_of, rows, values_of
from shared.events import DeliveryChanged, Event, ReachClicked, ReachSampled
from tests.support.builders.reach_events import history
from tests.support.builders.reach_reference import Totals, reference


def journal_of(events: Sequence[Event], batch: int) -> tuple[KnownReach, list[JournalEntry]]:
    accounts = KnownReach()
    entries: list[JournalEntry] = []
    for start in range(0, len(events), batch):
        part = events[start : start + batch]
        clicks = [click_of(event) for event in part if isinstance(event, ReachClicked)]
        samples = [sample_of(event) for event in part if isinstance(event, ReachSampled)]
        accounts.memory.learn(slots_of(clicks) | slots_of(samples), ())
        if clicked := admit_clicks(accounts, clicks):
            accounts.apply(clicked)
        if sampled := admit_samples(accounts, samples):
            accounts.apply(sampled)
        entries += [entry for entry in (clicked, sampled) if entry is not None]
        for event in part:
            if isinstance(event, DeliveryChanged) and (known := admit_delivery(accounts, delivery_of(event))):
                accounts.apply(known)
                entries.append(known)
    return accounts, entries


def totals(entries: Sequence[JournalEntry], accounts: KnownReach, by: tuple[str, ...]) -> Totals:
    found: Totals = Counter()
    for row in rows([additions(entries, accounts).get(Table(ALL_TIME, name_of(by)), {})]):
        found[row.values, row.measure.metric, row.measure.kind] += row.value
    return +found


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), batch=st.sampled_from([1, 7, 50, 1000]))
def test_every_breakdown_equals_the_reference(seed: int, batch: int) -> None:
    events = history(seed, events=120)
    accounts, entries = journal_of(events, batch)

    for by in GROUPINGS:
        assert totals(entries, accounts, by) == reference(events, by)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(0, 60))
def test_adding_entries_in_two_parts_is_adding_them_at_once(seed: int, cut: int) -> None:
    accounts, entries = journal_of(history(seed, events=120), 5)

    at_once = rows([additions(entries, accounts)[Table(ALL_TIME, "*")]])
    in_parts = rows(
        additions(part, accounts).get(Table(ALL_TIME, "*"), {}) for part in (entries[:cut], entries[cut:])
    )

    assert sorted(row[:3] for row in at_once) == sorted(row[:3] for row in in_parts)


def test_days_and_months_add_up_to_all_time() -> None:
    accounts, entries = journal_of(history(3), 20)
    added = additions(entries, accounts)

    def sums(length: int) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for table, places in added.items():
            if table.group == "channel+language" and len(table.period) == length:
                for row in rows([places]):
                    found[row.measure.metric, "|".join(row.values)] += row.value
        return found

    assert sums(len("2026-11-20")) == sums(len("2026-11")) == sums(len(ALL_TIME)) != Counter()


def test_an_entry_comes_back_from_the_store_as_it_was() -> None:
    _, entries = journal_of(history(4), 40)

    assert [entry_in(document_of(entry)) for entry in entries] == entries
    assert {entry.kind for entry in entries} == {"clicked", "sampled", "known"}


def test_accounts_come_back_from_their_pictures() -> None:
    accounts, _ = journal_of(history(5), 40)
    again = KnownReach()

    ahead = accounts_in([account_document(accounts, shard, 1) for shard in range(32)], again)

    assert again.by_code == accounts.by_code
    assert set(ahead.values()) == {accounts.number}


def test_an_event_that_came_before_is_not_admitted_again() -> None:
    events = [event for event in history(6) if not isinstance(event, DeliveryChanged)]
    _, entries = journal_of([*events, *events], 30)

    admitted = [one.id for entry in entries for one in entry.events]

    assert len(admitted) == len(set(admitted)) == len({event.event_id for event in events})


@pytest.mark.parametrize("values", [(), ("",), ("a.b", "$x"), ("a|b", "", "ş"), ("100%", "%2E")])
def test_any_text_can_be_a_value(values: tuple[str, ...]) -> None:
    key = key_of(*values)

    assert values_of(key) == values
    assert not set(key) & {".", "$", "\0"}


def test_forgetting_ids_keeps_what_is_needed() -> None:
    accounts = KnownReach(remembered=10)
    chance = Random(1)
    for slot in range(20):
        accounts.memory.learn([slot], [(slot, chance.getrandbits(64)) for _ in range(5)])
        accounts.memory.forget({slot, 0})

    assert accounts.memory.missing(range(20)) == set(range(1, 19))
