"""Ingest's limits, as two replicas hold them together."""

from collections.abc import Callable

import pytest

from services.ingest.rate_limits import Guess, RateLimits
from services.ingest.settings import IngestSettings
from shared.http.problems import Problem
from shared.storage.mongo import Database

APPROVED = "somebody whose first was approved"


async def is_newcomer(person_id: str) -> bool:
    return person_id != APPROVED


@pytest.fixture
def replica(database: Database) -> Callable[..., RateLimits]:
    def make(**settings: object) -> RateLimits:
        return RateLimits(IngestSettings.from_env(**settings), database["limits"], is_newcomer)

    return make


async def refused(limits: RateLimits, host: str, person_id: str | None = None) -> bool:
    try:
        await limits.write(host, person_id)
    except Problem as problem:
        return problem.code == "too_many_requests"
    return False


async def test_writes_are_limited_by_person_and_by_network_but_not_on_this_machine(
    replica: Callable[..., RateLimits],
) -> None:
    limits = replica(submissions_at_once=2, requests_at_once=2)
    for _ in range(10):
        await limits.write("127.0.0.1", APPROVED)
    await limits.write("192.0.2.7", APPROVED)
    await limits.write("192.0.2.7", APPROVED)

    assert await refused(limits, "192.0.2.8", APPROVED)
    assert await refused(limits, "192.0.2.7", "another")


async def test_this_machine_can_be_limited_too(replica: Callable[..., RateLimits]) -> None:
    limits = replica(requests_at_once=1, limit_loopback=True)
    await limits.write("127.0.0.1")

    assert await refused(limits, "127.0.0.1")


async def test_a_newcomer_may_send_less(replica: Callable[..., RateLimits]) -> None:
    limits = replica(submissions_at_once=5, newcomer_submissions_at_once=2)

    new = [await refused(limits, "192.0.2.7", "new") for _ in range(4)]
    known = [await refused(limits, "192.0.2.7", APPROVED) for _ in range(4)]

    assert new == [False, False, True, True]
    assert known == [False] * 4


async def test_a_network_lets_only_so_many_join(replica: Callable[..., RateLimits]) -> None:
    limits = replica(joins_at_once=2)
    await limits.join("192.0.2.7")
    await limits.join("192.0.2.7")

    with pytest.raises(Problem):
        await limits.join("192.0.2.7")
    await limits.write("192.0.2.7")
    await limits.join("192.0.2.8")


@pytest.mark.parametrize("guess", ["recovery", "sign-in"])
async def test_wrong_guesses_are_one_allowance_of_all_replicas_and_of_each_kind_for_itself(
    replica: Callable[..., RateLimits], guess: Guess
) -> None:
    one, other = replica(guesses_at_once=4), replica(guesses_at_once=4)
    for limits in (one, other, one, other):
        await limits.guessed_wrong(guess, "127.0.0.1")

    for limits in (one, other):
        with pytest.raises(Problem):
            await limits.guessed_wrong(guess, "127.0.0.1")
    await one.guessed_wrong("sign-in" if guess == "recovery" else "recovery", "127.0.0.1")
    await other.guessed_wrong(guess, "192.0.2.1")
