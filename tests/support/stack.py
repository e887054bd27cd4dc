"""A whole stack of a test's own: `konullu up` as a process, three channels with test servers, people who use it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx

from shared.settings import Settings
from tests.support.processes import Server, answers, free_port, until
from tests.support.supervised import Supervised

PYTHON: Final = sys.executable
WEBHOOK_SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TELEGRAM_TOKEN: Final = "123456789:AAtestTokenForTheTestServerOnly000000"
SERVICES: Final = ("ingest", "moderation", "publisher", "metrics")
UP_SECONDS: Final = 90.0

CAMPAIGN: Final = """
name: {{en: Volunteers' Word, az: Könüllülərin sözü, tr: Gönüllülerin Sözü, ru: Слово волонтёров}}
about: {{en: Volunteers tell in their own languages, az: Könüllülər öz dillərində danışırlar,
  tr: Gönüllüler kendi dillerinde anlatıyor, ru: Волонтёры рассказывают на своих языках}}
languages: [{languages}]
countries: [{countries}]
sections: [{{id: youth, name: {{en: Young people, az: Gənclər, tr: Gençler, ru: Молодёжь}}}}]
hashtags: [könüllü]
terms_version: "2020-09"
channels:
  - {{id: site, kind: website}}
  - {{id: partners, kind: webhook, base_url: "http://127.0.0.1:{webhook}/hook",
     credentials: {{secret: "env:DEMO_SECRET"}}}}
  - {{id: tg, kind: telegram, chat: "@example", base_url: "http://127.0.0.1:{telegram}",
     credentials: {{token: "env:DEMO_TG"}}, options: {{calls_per_second: {telegram_rate:g}}}}}
"""
LANGUAGES: Final = ("az", "en", "tr", "ru", "de", "fr", "ro", "es", "ka", "ar")
COUNTRIES: Final = (
    *("AZ", "TR", "GE", "DE", "RU", "NL", "GB", "CA", "US", "AU"),
    *("UA", "IL", "AT", "FR", "BE", "MD", "ES", "AE", "MA"),
)


@dataclass(frozen=True, slots=True)
class Size:
    """What makes one campaign larger than another."""

    languages: Sequence[str] = LANGUAGES
    countries: Sequence[str] = COUNTRIES
    telegram_rate: float = 20
    """Calls a second that Telegram is said to allow."""

    def campaign(self, telegram: int, webhook: int) -> str:
        """The campaign file, with the ports of the channels' test servers."""
        return CAMPAIGN.format(
            languages=", ".join(self.languages),
            countries=", ".join(f'"{country}"' for country in self.countries),
            telegram_rate=self.telegram_rate,
            telegram=telegram,
            webhook=webhook,
        )


SMALL: Final = Size()


class Stack(Supervised):
    """A running stack and the test servers of its channels."""

    def __init__(
        self, folder: Path, telegram: Server, webhook: Server, environment: Mapping[str, str]
    ) -> None:
        super().__init__(folder / ".konullu", environment=environment)  # hidden, as the default home is
        self.environment["KONULLU_PUBLIC_URL"] = self.url
        self.log = folder / "up.log"
        self.telegram, self.webhook = telegram, webhook

    def port(self, service: str) -> int:
        """A service's own port."""
        return self.base + 1 + SERVICES.index(service)

    def ready_again(self) -> None:
        """Start it, and wait until every part is ready."""
        self.start()
        until(self.ready, seconds=UP_SECONDS, what=f"the stack at {self.url} (see {self.log})")

    def ready(self) -> bool:
        """Whether every service says so and the gateway answers. Raises when the supervisor has ended."""
        if self.process is not None and self.process.poll() is not None:
            text = f"konullu up ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}"
            raise RuntimeError(text)
        return answers(self.base) and all(self.is_ready(name) for name in SERVICES)

    def is_ready(self, service: str) -> bool:
        """Whether one service is ready."""
        try:
            return (
                httpx.get(f"http://127.0.0.1:{self.port(service)}/readyz", timeout=2).status_code
                == httpx.codes.OK
            )
        except httpx.HTTPError:
            return False

    def stop(self, seconds: float = 15.0) -> float:
        """Ctrl-C, and how long it took. Kills what is left."""
        if self.process is None or self.process.poll() is not None:
            return 0.0
        began = monotonic()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        return monotonic() - began

    def staff(self, role: str, name: str, *options: str) -> str:
        """A staff member's token."""
        return self.command("staff", "add", "--role", role, "--name", name, *options).splitlines()[-1]

    def operator(self) -> Settings:
        """The settings of somebody at this stack's command line."""
        credentials = self.record().environment["NATS_CREDENTIALS"]
        return Settings.from_env(home=self.home, port_base=self.base, nats_credentials=credentials)

    def timeline(self) -> list[dict[str, Any]]:
        """What Telegram's test server shows in the chat now."""
        shown: list[dict[str, Any]] = httpx.get(f"{self.telegram.url}/timeline", timeout=10).json()["posts"]
        return shown

    def received(self) -> list[dict[str, Any]]:
        """What the partner behind the webhook shows now."""
        held: list[dict[str, Any]] = httpx.get(f"{self.webhook.url}/timeline", timeout=10).json()[
            "deliveries"
        ]
        return held


@contextmanager
def stack(
    folder: Path,
    *,
    telegram: Sequence[str] = (),
    webhook: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    size: Size = SMALL,
) -> Iterator[Stack]:
    """A stack over `folder`, started, and stopped with everything that belongs to it."""
    folder.mkdir(parents=True, exist_ok=True)
    bots, hooks = (
        channel_server("telegram", folder, "--token", TELEGRAM_TOKEN, *telegram),
        channel_server("webhook", folder, "--secret", WEBHOOK_SECRET, *webhook),
    )
    campaign = folder / "campaign.yaml"
    campaign.write_text(size.campaign(bots.port, hooks.port))
    made = Stack(
        folder,
        bots,
        hooks,
        {
            "KONULLU_CAMPAIGN": str(campaign),
            "DEMO_SECRET": WEBHOOK_SECRET,
            "DEMO_TG": TELEGRAM_TOKEN,
            **(environment or {}),
        },
    )
    try:
        bots.start()
        hooks.start()
        made.ready_again()
        yield made
    finally:
        made.stop()
        bots.stop()
        hooks.stop()


def channel_server(name: str, folder: Path, *options: str) -> Server:
    """The test server of a channel, as a process of its own that remembers over its restarts."""
    port = free_port()
    return Server(
        [
            PYTHON,
            "-m",
            f"tests.servers.{name}",
            "--port",
            str(port),
            "--log",
            str(folder / f"{name}.jsonl"),
            *options,
        ],
        f"http://127.0.0.1:{port}",
        port,
        folder / f"{name}.log",
    )


def lines(path: Path) -> list[dict[str, Any]]:
    """A JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line]
