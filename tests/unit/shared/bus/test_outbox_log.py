"""The numbers of a log: whatever is confirmed in whatever order, the checkpoint never passes an open one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.outbox_log import FIELD, LAST, LogPace, Numbers, between, sequence_of


@given(steps=st.lists(st.one_of(st.none(), st.integers(min_value=1, max_value=30)), max_size=60))
def test_everything_up_to_the_confirmed_number_is_confirmed_and_the_next_is_open(
    steps: list[int | None],
) -> None:
    numbers, begun, confirmed = Numbers(), 0, set[int]()
    for step in steps:
        if step is None:
            begun += 1
            assert numbers.begin() == begun
        elif step <= begun:
            numbers.confirm(step)
            confirmed.add(step)

        upto = numbers.confirmed
        assert set(range(1, upto + 1)) <= confirmed
        assert upto == begun or upto + 1 not in confirmed
        assert numbers.all_confirmed == (len(confirmed) == begun)


NUMBER = st.integers(min_value=0, max_value=LAST - 1)


@given(first=NUMBER, last=NUMBER, number=NUMBER, index=st.integers(min_value=0, max_value=10**6))
def test_a_range_holds_the_documents_of_its_batches_and_no_others(
    first: int, last: int, number: int, index: int
) -> None:
    ends = between("w", first, last)[FIELD]

    assert (ends["$gte"] <= sequence_of("w", number, index) < ends["$lt"]) == (first <= number <= last)


@pytest.mark.parametrize("wrong", [{"stale": 10.0}, {"renewal": 20.0}, {"lease": 1.0}])
def test_a_lease_that_would_run_out_under_its_holder_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="lease"):
        LogPace(**wrong)  # type: ignore[arg-type]  # one of the numbers
