"""`make campaign`: the campaign of 2020 at one to one, through a stack of its own, judged from outside alone.

Nothing of the stack's databases is read: what counts is what the partner's receiver and Telegram's test server show, the
website over HTTP, and what metrics and the authors' ledgers say. Exit 0 only if everything accepted is visible exactly
once on every channel and every total is what was really sent. Ctrl-C ends it with everything that belongs to it.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from shared.bus.consuming import connection
from tests.bench.measured import machine, settings_of
from tests.campaign import judging, reporting, sending
from tests.campaign.plan import LANGUAGES, WHOLE, Item, Plan, plan
from tests.campaign.reporting import Report
from tests.demo.drawn import photo, video
from tests.support.people import Line, Staff
from tests.support.stack import Size, Stack, stack

PHOTO_SIZE: Final = (640, 480)
MODERATORS: Final = ("Leyla", "Mehmet", "Nino", "Oleh", "Sara", "Tural", "Aysel", "Jonas")
TELEGRAM_RATE: Final = 200.0
"""Calls a second: the channel's own rate is not what is measured."""
TOLD_EVERY: Final = 5.0
PATIENCE: Final = 900.0


def say(text: str) -> None:
    """Progress for whoever watches."""
    print(text, flush=True)


def draw(folder: Path, item: Item) -> None:
    """An item's picture, into a file of its own."""
    if item.media == "photo":
        (folder / f"{item.number}.jpg").write_bytes(photo(item.number, PHOTO_SIZE))
    elif item.media == "video":
        video(folder / f"{item.number}.mp4", seed=item.number)


def drawn(wanted: Plan, folder: Path) -> None:
    """All pictures, on all processors."""
    folder.mkdir()
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(partial(draw, folder), [item for item in wanted.items if item.media], chunksize=20):
            pass


@dataclass
class Steps:
    """How long each step took."""

    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)

    def done(self, name: str) -> None:
        """A step ends, and the next begins."""
        now = time.monotonic()
        self.seconds[name], self.began = round(now - self.began, 1), now


@asynccontextmanager
async def watched(progress: sending.Progress) -> AsyncIterator[None]:
    """Say now and then how far things are."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            say(progress.line())

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        say(progress.line())


async def run(built: Stack, wanted: Plan, folder: Path) -> Report:
    """The campaign on a running stack, up to its verdict."""
    line, steps = Line(built.url), Steps()
    staff = [await asyncio.to_thread(built.staff, "moderator", name) for name in MODERATORS]
    moderators = [Staff(line, token) for token in staff]
    editor = Staff(line, await asyncio.to_thread(built.staff, "editor", "Editor"))
    lead = Staff(line, await asyncio.to_thread(built.staff, "admin", "Lead"))
    link = await connection(settings_of(built, "publisher"), name="campaign", user="publisher")
    progress = sending.Progress(len(wanted.items))
    steps.done("staff added")
    began = time.monotonic()
    async with watched(progress):
        sent, _ = await asyncio.gather(
            sending.send(line, wanted, folder, progress),
            sending.review(moderators, progress, patience=PATIENCE),
        )
        steps.done("accepted and approved")
        await sending.published(built, progress, patience=PATIENCE)
        await sending.look(editor, sent, progress, patience=PATIENCE)
        steps.done("published")
        await asyncio.gather(sending.click(built, sent, progress), sending.report_views(link, sent, progress))
        steps.done("read")
    wrong = await judging.everything(built, line, lead, wanted, sent)
    steps.done("judged")
    seconds = time.monotonic() - began
    cpu = built.cpu()
    pictures = await reporting.pictures(built, lead.token, folder)
    await link.close()
    await line.close()
    return Report(wanted, machine(), seconds, steps.seconds, cpu, wrong, pictures)


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the campaign. Gives back the exit code."""
    parser = argparse.ArgumentParser(prog="tests.campaign", description=__doc__)
    parser.add_argument("--items", type=int, default=WHOLE, help="a smaller campaign, in proportion")
    parser.add_argument("--seed", type=int, default=2020)
    parser.add_argument("--report", type=Path, help="write the report and its pictures into this folder")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = plan(options.items, options.seed)
    place = Path(tempfile.mkdtemp(prefix="konullu-campaign-"))
    size = Size(languages=LANGUAGES, countries=wanted.countries, telegram_rate=TELEGRAM_RATE)
    began = time.monotonic()
    try:
        say(f"drawing {wanted.photos:,} photos and {wanted.videos} videos, seed {wanted.seed} …")
        drawn(wanted, place / "drawn")
        say(f"  done after {time.monotonic() - began:.0f} s; starting a stack of its own …")
        with stack(place / "stack", size=size) as built:
            say(f"  ready at {built.url}; {len(wanted.countries)} countries send {len(wanted.items):,} items")
            report = asyncio.run(run(built, wanted, place / "drawn"))
        if options.report is not None:
            reporting.write(report, options.report)
    except KeyboardInterrupt:
        say("interrupted; everything that was started is stopped")
        shutil.rmtree(place, ignore_errors=True)
        return 130
    say(f"\n{json.dumps(report.figures(), indent=1, ensure_ascii=False)}\n")
    if report.wrong:
        say(f"NOT as it should be, {len(report.wrong)} times:")
        for sentence in report.wrong[:50]:
            say(f"  - {sentence}")
        say(f"what was left behind: {place}")
        return 1
    shutil.rmtree(place, ignore_errors=True)
    say(f"{report.verdict()}, after {report.seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
