"""The editor's desk as a real process, with a Telegram server that can leave an answer out."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from shared.bus.consuming import Publisher, connection
from shared.bus.streams import provision
from shared.events import MODERATION_DECIDED
from shared.identity import signing
from shared.identity.tokens import COOKIE, Issuer, Principal, jwks, signing_key
from shared.settings import PUBLISHER, Settings
from tests.servers.telegram import TOKEN
from tests.support.builders.publications import approval_of
from tests.support.pages.console import run
from tests.support.processes import Server, free_base, free_port, until


@dataclass
class Newsdesk:
    """A running publisher."""

    settings: Settings
    server: Server

    @property
    def url(self) -> str:
        return f"http://localhost:{self.settings.port_base + PUBLISHER}"

    def token(self) -> str:
        issuer = Issuer(signing_key(self.settings.keys / "tokens.pem"))
        return issuer.issue(Principal("editor-1", "editor"), now=datetime.now(UTC))

    def cookie(self) -> dict[str, Any]:
        """An editor's session."""
        return {
            "name": COOKIE,
            "value": self.token(),
            "url": "https://localhost",
            "secure": True,
            "httpOnly": True,
        }

    def states(self, submission_id: str) -> dict[str, str]:
        answer = httpx.get(
            f"{self.url}/v1/deliveries?submission_id={submission_id}",
            headers={"Authorization": f"Bearer {self.token()}"},
        )
        return {each["channel"]: each["state"] for each in answer.json()["items"]}

    def approve(self, submission_id: str, states: dict[str, str], **snapshot: object) -> None:
        """Moderation approves; returns when the deliveries are in these states."""
        decision = signing.sign(
            approval_of(submission_id, **snapshot),  # type: ignore[arg-type]
            signing_key(self.settings.keys / "decisions.pem"),
        )

        async def publish() -> None:
            link = await connection(self.settings, name="test")
            await Publisher(link).publish(
                MODERATION_DECIDED.subject,
                decision.model_dump_json().encode(),
                stream=MODERATION_DECIDED.stream,
                message_id=str(decision.event_id),
            )
            await link.close()

        run(publish())
        until(lambda: self.states(submission_id) == states, seconds=20, what=f"{submission_id} in {states}")


@contextmanager
def open_newsdesk(home: Path, nats_url: str, mongo_url: str) -> Iterator[Newsdesk]:
    """Start the publisher on servers that run already; the keys of the others lie in its cache."""
    settings = Settings.from_env(home=home, nats=nats_url, mongo=mongo_url, port_base=free_base())

    async def provisioned() -> None:
        link = await connection(settings, name="provision")
        await provision(link, replicas=settings.stream_replicas, max_bytes=settings.stream_max_bytes)
        await link.close()

    run(provisioned())
    (home / "cache").mkdir(parents=True)
    for issuer, file in (("ingest", "tokens.pem"), ("moderation", "decisions.pem")):
        keys = jwks(signing_key(settings.keys / file).public_key())
        (home / "cache" / f"publisher-{issuer}-jwks.json").write_text(json.dumps(keys))
    telegram = _telegram(home)
    (home / "campaign.yaml").write_text(
        f"""
name: {{en: Voices of the old town, az: Köhnə şəhərin səsləri}}
languages: [az, en]
countries: [AZ, TR]
terms_version: "1"
channels:
  - {{id: site, kind: website}}
  - id: tg
    kind: telegram
    chat: "@voices"
    languages: [az]
    base_url: "{telegram.url}"
    credentials: {{token: "env:TEST_BOT"}}
"""
    )
    port = settings.port_base + PUBLISHER
    server = Server(
        [sys.executable, "-m", "services.publisher"],
        f"http://127.0.0.1:{port}",
        port,
        home / "publisher.log",
        {
            "KONULLU_HOME": str(home),
            "KONULLU_PORT_BASE": str(settings.port_base),
            "KONULLU_CAMPAIGN": str(home / "campaign.yaml"),
            "KONULLU_DATABASE_PREFIX": f"b{settings.port_base}_",
            "NATS_URL": nats_url,
            "MONGO_URL": mongo_url,
            "TEST_BOT": TOKEN,
        },
    )
    telegram.start()
    server.start()
    try:
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 200, seconds=30, what="being ready")
        yield Newsdesk(settings, server)
    finally:
        server.stop()
        telegram.stop()


def _telegram(home: Path) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "tests.servers.telegram", "--port", str(port)]
    lost = ["--log", str(home / "telegram.jsonl"), "--rate", "reset_after=1.0"]
    return Server([*command, *lost], f"http://127.0.0.1:{port}", port, home / "telegram.log")
