"""The flow's own targets, measured on a whole stack from outside: accepting, claiming, publishing, queueing."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

import httpx

from tests.bench.load import Caller, Load, request, run
from tests.bench.measured import ITEM, Measured, measured, plain, submission_of
from tests.bench.report import Finding, at_least, at_most, percentile, rate
from tests.support.people import Staff, eventually
from tests.support.stack import lines

CONNECTIONS: Final = 64
SECONDS: Final = 8.0
ROUNDS: Final = 3
PACES: Final = (100, 25)
"""Submissions a second: the target's, and one that a slow machine carries, too."""
PACED: Final = 600
SAMPLED_EVERY: Final = 12
DECISIONS: Final = 30
QUIET_SECONDS: Final = 0.3
MODERATORS: Final = 50
CLAIM_ROUNDS: Final = 8
SHORT_QUEUE, LONG_QUEUE = 1_000, 20_000
CREATED, NOT_FOUND = 201, 404


def accepting(on: Measured) -> bytes:
    """A submission that was never sent before."""
    url = f"{on.service('ingest')}/v1/submissions"
    return request(url, ITEM, {**on.author.headers, "Idempotency-Key": uuid4().hex})


async def accept(on: Measured, *, seconds: float = 1e9, most: int = 1 << 60) -> Load:
    """Send as fast as it is taken. Raises when anything was refused."""
    url = f"{on.service('ingest')}/v1/submissions"
    sent = await run(url, lambda: accepting(on), connections=CONNECTIONS, seconds=seconds, most=most)
    if sent.refused:
        raise AssertionError(f"{sent.refused} of {sent.sent} submissions were refused")
    on.accepted += sent.sent
    return sent


async def p1() -> AsyncIterator[Finding]:
    """Durable accepts and a plain handler in turn, each on a machine that has nothing left to do."""
    rounds: list[tuple[Load, Load, float, dict[str, float]]] = []
    bare: list[float] = []
    async with measured() as on:
        with plain(on.stack, on.folder) as other:
            url = f"{other.url}/v1/submissions"
            await accept(on, seconds=2)
            await run(url, lambda: request(url, ITEM, {}), connections=CONNECTIONS, seconds=1)
            await on.drained()
            for _ in range(ROUNDS):
                before = on.cpu()
                mine = await accept(on, seconds=SECONDS)
                left = await on.drained()
                after = on.cpu()
                each = {name: (after[name] - before[name]) * 1000 / mine.sent for name in after}
                started = on.cpu()["database"] + other.cpu()
                theirs = await run(
                    url, lambda: request(url, ITEM, {}), connections=CONNECTIONS, seconds=SECONDS
                )
                bare.append((on.cpu()["database"] + other.cpu() - started) * 1000 / theirs.sent)
                rounds.append((mine, theirs, left, each))
    rounds.sort(key=lambda one: one[0].per_second / one[1].per_second)
    mine, theirs, _, _ = rounds[len(rounds) // 2]
    worst = max(left for _, _, left, _ in rounds)
    cpu = median(sum(each.values()) for _, _, _, each in rounds)
    yield at_least("P1", "accepts against a plain handler", mine.per_second / theirs.per_second, 1)
    yield rate("P1", "accepts", mine.sent, mine.seconds)
    yield rate("P1", "the plain handler", theirs.sent, theirs.seconds)
    yield at_most(
        "P1",
        "accepts, p99",
        mine.p99 * 1000,
        150,
        baseline=theirs.p99 * 1000,
        baseline_is="the plain handler",
    )
    yield at_most("P1", "until the backlog is gone", worst, 5, "s")
    yield at_most(
        "P1c",
        "CPU of all processes per submission, at saturation",
        cpu,
        2.5,
        baseline=median(bare),
        baseline_is="the plain handler and the database",
    )
    for name in rounds[0][3]:
        yield Finding("P1c", f"of it {name}", median(each[name] for *_, each in rounds), "ms")


@dataclass
class Times:
    """What each step took, in seconds."""

    accepted: list[float] = field(default_factory=list)
    claimable: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)


async def p2() -> AsyncIterator[Finding]:
    """From the receipt to claimable, while so many submissions a second come in and some are claimed and decided."""
    for pace in PACES:
        async for finding in _paced(pace):
            yield finding


async def _paced(pace: int) -> AsyncIterator[Finding]:
    took = Times()
    async with measured() as on:
        senders, desk = on.caller("ingest"), on.caller("moderation")
        before = on.cpu()
        async with asyncio.TaskGroup() as group:
            began = perf_counter()
            for number in range(PACED):
                sampled = number % SAMPLED_EVERY == 0
                group.create_task(_accept_and_claim(on, senders, desk, took, sampled=sampled))
                await asyncio.sleep(max(0.0, began + (number + 1) / pace - perf_counter()))
        on.accepted += PACED
        left = await on.drained()
        after = on.cpu()
        each = {name: (after[name] - before[name]) * 1000 / PACED for name in after}
        senders.close()
        desk.close()
    for share, name, most in ((0.5, "p50", 25), (0.99, "p99", 100)):
        yield at_most(
            "P2",
            f"accepted to claimable at {pace}/s, {name}",
            percentile(took.claimable, share) * 1000,
            most,
            baseline=percentile(took.accepted, share) * 1000,
            baseline_is="the receipt itself",
        )
    yield Finding("P2", f"a decision at {pace}/s, p50", percentile(took.decided, 0.5) * 1000, "ms")
    yield Finding("P2", f"until the backlog is gone, at {pace}/s", left, "s")
    yield at_most(
        "P1c", f"CPU of all processes per submission, at {pace}/s with claims", sum(each.values()), 10
    )
    for name, spent in each.items():
        yield Finding("P1c", f"of it {name}", spent, "ms")


async def _accept_and_claim(
    on: Measured, senders: Caller, desk: Caller, took: Times, *, sampled: bool
) -> None:
    began = perf_counter()
    headers = {**on.author.headers, "Idempotency-Key": uuid4().hex}
    status, answer = await senders.ask("/v1/submissions", ITEM, headers)
    if status != httpx.codes.ACCEPTED:
        raise AssertionError(f"a submission was answered {status}: {answer[:300]!r}")
    accepted = perf_counter()
    took.accepted.append(accepted - began)
    if not sampled:
        return
    held = await _claim(desk, on.moderator, {"submission_id": submission_of(answer)})
    claimed = perf_counter()
    took.claimable.append(claimed - accepted)
    decision = {"claim_token": held["claim_token"], "verdict": "reject", "reasons": ["other"]}
    status, answer = await desk.ask("/v1/decisions", decision, on.moderator.headers)
    if status != httpx.codes.OK:
        raise AssertionError(f"a decision was answered {status}: {answer[:300]!r}")
    took.decided.append(perf_counter() - claimed)


async def _claim(
    desk: Caller, moderator: Staff, wanted: dict[str, Any], *, seconds: float = 180
) -> dict[str, Any]:
    """The case, asked for until it is there: before it is opened, the answer is 404."""
    deadline = perf_counter() + seconds
    while perf_counter() < deadline:
        status, answer = await desk.ask("/v1/claims", wanted, moderator.headers)
        if status == CREATED:
            held: dict[str, Any] = json.loads(answer)
            return held
        if status not in (NOT_FOUND, 204):
            raise AssertionError(f"a claim was answered {status}: {answer[:300]!r}")
        await asyncio.sleep(0.005)
    raise TimeoutError(f"{wanted} could not be claimed within {seconds} s")


async def p3() -> AsyncIterator[Finding]:
    """From sending the decision to the first byte at the partner, by the partner's own clock, with nothing else going on."""
    times: list[float] = []
    bare: list[float] = []
    async with measured() as on, httpx.AsyncClient() as poster:
        log, desk = on.folder / "webhook.jsonl", on.caller("moderation")
        for _ in range(DECISIONS):
            receipt = await on.author.submit(ITEM)
            on.accepted += 1
            held = await _claim(desk, on.moderator, {"submission_id": receipt["submission_id"]})
            await on.drained()
            await asyncio.sleep(QUIET_SECONDS)
            began = time.time()
            decision = {"claim_token": held["claim_token"], "verdict": "approve"}
            status, answer = await desk.ask("/v1/decisions", decision, on.moderator.headers)
            if status != httpx.codes.OK:
                raise AssertionError(f"a decision was answered {status}: {answer[:300]!r}")
            times.append(await _arrival(log, receipt["submission_id"]) - began)
            began = time.time()
            await poster.post(f"{on.stack.webhook.url}/hook", json=ITEM)
            refused = [entry for entry in lines(log) if entry["event"] == "refused"]
            bare.append(refused[-1]["arrived"] - began)
        desk.close()
    for share, name, most in ((0.5, "p50", 40), (0.99, "p99", 100)):
        yield at_most(
            "P3",
            f"decision to the first byte at the webhook, {name} of {DECISIONS}",
            percentile(times, share) * 1000,
            most,
            baseline=percentile(bare, share) * 1000,
            baseline_is="a bare POST there",
        )


async def _arrival(log: Any, submission_id: str) -> float:
    """When the first byte about a submission came, by the receiver's clock."""

    async def found() -> float | None:
        for entry in lines(log) if log.exists() else ():
            if entry["event"] == "accepted" and entry["submission_id"] == submission_id:
                return float(entry["arrived"])
        return None

    arrived: float = await eventually(found, seconds=90, what=f"{submission_id} at the webhook")
    return arrived


async def p5() -> AsyncIterator[Finding]:
    """The next claim of fifty moderators at once, from a short queue and from a long one."""
    async with measured() as on:
        desk = on.caller("moderation")
        people = await _moderators(on)
        found: dict[int, list[float]] = {}
        twice = 0
        for length in (SHORT_QUEUE, LONG_QUEUE):
            await accept(on, most=length - on.accepted)
            await on.drained()
            await _claim_at_once(desk, people)
            found[length] = []
            for _ in range(CLAIM_ROUNDS):
                times, doubles = await _claim_at_once(desk, people)
                found[length] += times
                twice += doubles
        desk.close()
    short, long = (percentile(found[length], 0.99) for length in (SHORT_QUEUE, LONG_QUEUE))
    what = f"next claim, {MODERATORS} at once, p99 at {LONG_QUEUE:,} against {SHORT_QUEUE:,}"
    yield at_most("P5", what, long / short, 1.2, "×")
    yield Finding(
        "P5",
        f"next claim, p99 at {LONG_QUEUE:,}",
        long * 1000,
        "ms",
        baseline=short * 1000,
        baseline_is=f"at {SHORT_QUEUE:,}",
    )
    yield at_most("P5", "cases in two hands", twice, 0, "cases")


async def _moderators(on: Measured) -> list[Staff]:
    gate = asyncio.Semaphore(4)

    async def one(number: int) -> Staff:
        async with gate:
            return Staff(on.line, await asyncio.to_thread(on.stack.staff, "moderator", f"Moderator {number}"))

    return list(await asyncio.gather(*(one(number) for number in range(MODERATORS))))


async def _claim_at_once(desk: Caller, people: Sequence[Staff]) -> tuple[list[float], int]:
    """Everybody asks for the next case in the same moment, and gives it back: the times, and cases given out twice."""
    times: list[float] = []

    async def one(person: Staff) -> dict[str, Any]:
        began = perf_counter()
        status, answer = await desk.ask("/v1/claims", {}, person.headers)
        times.append(perf_counter() - began)
        if status != CREATED:
            raise AssertionError(f"a claim was answered {status}: {answer[:300]!r}")
        held: dict[str, Any] = json.loads(answer)
        return held

    held = await asyncio.gather(*(one(person) for person in people))
    cases = Counter(each["submission"]["submission_id"] for each in held)
    for person, each in zip(people, held, strict=True):
        await desk.ask(f"/v1/claims/{each['claim_token']}", {}, person.headers, "DELETE")
    return times, sum(count - 1 for count in cases.values())
