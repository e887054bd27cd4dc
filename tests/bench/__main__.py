"""`make bench`: measures a stack of its own and prints the figures beside their targets."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from uuid import uuid4

from tests.bench.load import Load, request, run
from tests.people import Line, Staff, Volunteer, eventually
from tests.processes import Server, free_port
from tests.stack import SERVICES, Stack, stack

CONNECTIONS = 64
SECONDS = 8.0
ROUNDS = 3
ITEM = {
    "title": "A measured submission",
    "body": "A paragraph of ordinary length. " * 20,
    "language": "en",
    "country": "AZ",
    "attribution": {"mode": "anonymous"},
    "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
}
UNLIMITED = {
    f"KONULLU_INGEST_{what}_{per}": "100000000"
    for what in ("SUBMISSIONS", "REQUESTS")
    for per in ("AT_ONCE", "PER_HOUR")
}


def figure(name: str, target: str, seen: str) -> None:
    print(f"{name:<4} {seen:<58} target {target}", flush=True)


@contextmanager
def plain(of: Stack, folder: Path) -> Iterator[str]:
    """The handler to compare with, on the same database server."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.plain", str(port), f"mongodb://127.0.0.1:{of.base + 11}"]
    server = Server(command, f"http://127.0.0.1:{port}", port, folder / "plain.log")
    server.start()
    yield f"{server.url}/v1/submissions"
    server.stop()


async def accepting(of: Stack, folder: Path, author: Volunteer) -> None:
    """P1: alternating rounds, so that a busy minute of the machine hits both."""
    ours = f"http://127.0.0.1:{of.port('ingest')}/v1/submissions"
    rounds: list[tuple[Load, Load]] = []
    with plain(of, folder) as theirs:
        for _ in range(ROUNDS):
            measured = [
                await run(
                    url,
                    lambda url=url: request(url, ITEM, {**author.headers, "Idempotency-Key": uuid4().hex}),  # type: ignore[misc]
                    connections=CONNECTIONS,
                    seconds=SECONDS,
                )
                for url in (ours, theirs)
            ]
            rounds.append((measured[0], measured[1]))
    rounds.sort(key=lambda pair: pair[0].per_second / pair[1].per_second)
    mine, other = rounds[len(rounds) // 2]
    ratio = mine.per_second / other.per_second
    figure(
        "P1",
        ">= 3 x, p99 <= 150 ms",
        f"{mine.per_second:.0f}/s, {ratio:.1f} x plain ({other.per_second:.0f}/s), p99 {mine.p99 * 1000:.0f} ms",
    )
    if mine.refused or other.refused:
        print(f"     refused: {mine.refused} ours, {other.refused} plain")


async def claiming(author: Volunteer, moderator: Staff) -> None:
    """P2, idle: from the receipt to the case in a moderator's hands."""
    times = []
    for _ in range(10):
        await author.submit(ITEM)
        began = monotonic()
        held = await eventually(moderator.claim, seconds=60, what="the case")
        times.append(monotonic() - began)
        await moderator.decide(held["claim_token"], "reject", reasons=["other"])
    times.sort()
    figure(
        "P2",
        "p50 <= 50 ms at 100/s",
        f"accepted to claimable, idle: p50 {times[5] * 1000:.0f} ms (0.1 s steps)",
    )


def memory(of: Stack) -> None:
    """P7: each service at rest."""
    seen = []
    for line in of.command("status").splitlines():
        name, *told = line.split()
        if name in SERVICES:
            kib = Path(f"/proc/{told[1]}/status").read_text().partition("VmRSS:")[2].split()[0]
            seen.append(f"{name} {int(kib) // 1024} MB")
    figure("P7", "<= 120 MB each", ", ".join(seen))


async def main() -> int:
    with tempfile.TemporaryDirectory(prefix="konullu-bench-") as name:
        began = monotonic()
        with stack(Path(name), environment=UNLIMITED) as of:
            line = Line(of.url)
            author = await Volunteer.register(line, name="Bench", country="AZ", languages=["en"])
            await author.submit(ITEM)
            figure("P8", "<= 10 s", f"up to the first accepted submission: {monotonic() - began:.1f} s")
            memory(of)
            moderator = Staff(line, of.staff("moderator", "Bench"))
            held = await eventually(moderator.claim, seconds=60, what="the first case")
            await moderator.decide(held["claim_token"], "reject", reasons=["other"])
            await claiming(author, moderator)
            await accepting(of, Path(name), author)
            await line.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
