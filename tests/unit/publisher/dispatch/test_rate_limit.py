from dataclasses import replace
from datetime import timedelta

from services.publisher.dispatch.rate_limit import Account, Wait, give_back, pause, take_turn, went_well
from tests.unit.publisher.builders import NOON

HOLD, CALL = timedelta(seconds=45), timedelta(seconds=31)


def take(
    account: Account, holder: str = "a", seconds: float = 0, rate: float | None = None
) -> Account | Wait:
    return take_turn(account, holder, NOON + timedelta(seconds=seconds), rate=rate, hold=HOLD, call=CALL)


def held() -> Account:
    taken = take(Account("tg"))
    assert isinstance(taken, Account)
    return taken


def test_one_holder_at_a_time_has_the_turn() -> None:
    assert Wait(NOON + HOLD) == take(held(), "b", 10)
    assert not isinstance(take(held(), "b", 45), Wait)


def test_a_turn_in_hand_costs_no_write_while_it_outlasts_a_call() -> None:
    assert held() == take(held(), seconds=14)
    assert held() != take(held(), seconds=15)


def test_a_turn_given_back_is_free() -> None:
    assert not isinstance(take(give_back(held(), "a"), "b"), Wait)
    assert held() == give_back(held(), "b")


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
    paused = pause(pause(held(), NOON + timedelta(seconds=60), "429"), NOON + timedelta(seconds=5), "429")

    assert Wait(NOON + timedelta(seconds=60)) == take(paused, seconds=30)
    assert not isinstance(take(paused, seconds=61), Wait)


def test_a_call_that_went_well_ends_the_trouble() -> None:
    assert held() == went_well(pause(held(), NOON, "429"))
    assert replace(held(), troubles=0) == went_well(held())
