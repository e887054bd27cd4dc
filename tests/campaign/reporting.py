"""What is left of a campaign: its figures, and how the reach page shows them."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.async_api import async_playwright

from tests.browser.conftest import FLAGS
from tests.campaign.plan import Plan
from tests.demo.shots import SIZES, Shot, take
from tests.support.stack import Stack

CHANNELS: Final = ("the website", "a partner's webhook", "Telegram")


@dataclass(frozen=True)
class Report:
    """A campaign, as it went."""

    plan: Plan
    machine: dict[str, Any]
    seconds: float
    """From the first volunteer to the verdict."""
    steps: dict[str, float]
    cpu: dict[str, float]
    """Seconds of processor time, by process, from its start."""
    wrong: list[str]
    pictures: tuple[Path, ...]

    def figures(self) -> dict[str, Any]:
        """The report as plain values."""
        wanted = self.plan
        return {
            "machine": self.machine,
            "seed": wanted.seed,
            "items": len(wanted.items),
            "countries": len(wanted.countries),
            "languages": len({item.language for item in wanted.items}),
            "photos": wanted.photos,
            "videos": wanted.videos,
            "clicks": wanted.clicks,
            "views": wanted.views,
            "channels": len(CHANNELS),
            "seconds": round(self.seconds, 1),
            "steps": self.steps,
            "cpu_seconds": {name: round(value, 1) for name, value in self.cpu.items()},
            "wrong": self.wrong,
        }

    def verdict(self) -> str:
        """One sentence."""
        count = len(self.plan.items)
        if self.wrong:
            return f"{len(self.wrong)} things are not as they should be"
        return f"all {count:,} items are visible exactly once on each of {len(CHANNELS)} channels, and every total is exact"


async def pictures(built: Stack, token: str, folder: Path) -> tuple[Path, ...]:
    """The reach page on a phone and on a desk."""
    taken = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for width in SIZES:
            await take(browser, built, Shot("campaign", "/reach", token), width, "light", folder)
            taken.append(folder / f"campaign-{width}-light.png")
        await browser.close()
    return tuple(taken)


def write(report: Report, folder: Path) -> None:
    """The report as a page, its figures as JSON, and the pictures beside it."""
    (folder / "shots").mkdir(parents=True, exist_ok=True)
    for picture in report.pictures:
        shutil.copy(picture, folder / "shots" / picture.name)
    figures = report.figures()
    (folder / "campaign.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    (folder / "campaign.md").write_text(page(report))


def page(report: Report) -> str:
    """The page."""
    wanted, figures, on = report.plan, report.figures(), report.machine
    steps = "\n".join(f"| {name} | {seconds:.1f} s |" for name, seconds in report.steps.items())
    cpu = "\n".join(f"| {name} | {seconds:.1f} s |" for name, seconds in figures["cpu_seconds"].items())
    shots = "\n\n".join(
        f"![The reach page, {picture.name.split('-')[1]} wide](shots/{picture.name})"
        for picture in report.pictures
    )
    wrong = "\n".join(f"- {sentence}" for sentence in report.wrong) or "Nothing."
    return PAGE.format(
        wanted=wanted,
        items=len(wanted.items),
        countries=len(wanted.countries),
        languages=figures["languages"],
        verdict=f"{report.verdict()[0].upper()}{report.verdict()[1:]}",
        seconds=report.seconds,
        on=on,
        steps=steps,
        cpu=cpu,
        wrong=wrong,
        shots=shots,
    )


PAGE: Final = """# The campaign of 2020, sent again

`make campaign` sends {items:,} items from {countries} countries in {languages} languages, with {wanted.photos:,} photos
and {wanted.videos} videos drawn from a seed, through a stack of its own: every service, the broker, the database, the
gateway, the website, and test servers for Telegram and a partner's webhook. Moderators claim and approve each item;
readers follow its short links {wanted.clicks:,} times, and the channel reports {wanted.views:,} views. Then the result
is judged from outside: what the receivers and the website show, what metrics and the authors' ledgers say. No database
is read.

**{verdict}**, {seconds:.0f} s after the first volunteer registered.

Measured {on[at]}, Python {on[python]}, {on[processors]} processors, load at the end {on[load]}, seed {wanted.seed}.
Telegram's test server takes 200 calls a second: the services are measured, not the channel's rate. No channel of this
campaign can be asked for views yet, so the views are put on the bus in the form in which the publisher puts its samples.
To repeat: `make campaign REPORT=docs`; smaller: `make campaign ITEMS=60`.

| Step | Took |
| --- | --- |
{steps}

| Processor time of | |
| --- | --- |
{cpu}

## What was not as it should be

{wrong}

## The reach page afterwards

{shots}
"""
