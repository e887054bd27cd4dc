from dataclasses import replace
from datetime import timedelta

from services.publisher.dispatch.rate_limit import Account, RateWait, pause, take_turn, went_well
from tests.support.builders.publications import NOON


def take(account: Account, seconds: float = 0, rate: float | None = None) -> Account | RateWait:
    return take_turn(account, NOON + timedelta(seconds=seconds), rate=rate)


def test_a_turn_that_nobody_counts_changes_nothing() -> None:
    assert Account("hook") == take(Account("hook"))


def test_no_second_holds_more_calls_than_the_rate_allows() -> None:
    account, times = Account("tg"), []
    for tick in range(200):
        taken = take(account, seconds=tick / 50, rate=5)
        if isinstance(taken, Account):
            account = taken
            times.append(tick / 50)

    assert len(times) == 20
    assert max(sum(start <= each < start + 1 for each in times) for start in times) <= 5


def test_a_pause_holds_everybody_up_and_the_longer_one_stays() -> None:
    paused = pause(
        pause(Account("tg"), NOON + timedelta(seconds=60), "429"), NOON + timedelta(seconds=5), "429"
    )

    assert RateWait(NOON + timedelta(seconds=60)) == take(paused, seconds=30)
    assert not isinstance(take(paused, seconds=61), RateWait)


def test_a_call_that_went_well_ends_the_trouble() -> None:
    fresh = Account("tg")

    assert fresh == went_well(pause(fresh, NOON, "429"))
    assert replace(fresh, troubles=0) == went_well(fresh)
