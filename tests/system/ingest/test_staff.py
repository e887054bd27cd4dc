"""The staff command, as the operator runs it beside a running ingest."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest
from pydantic import SecretStr

from services.ingest.settings import IngestSettings
from shared.identity.tokens import OwnKeys, signing_key, verify
from shared.storage.mongo import Database, connect
from tests.support.processes import free_base

CAMPAIGN = """
name: Voices of the old town
languages: [az]
countries: [AZ]
sections: [{id: heritage, name: Heritage}]
terms_version: "1"
channels: [{id: site, kind: website}]
"""


class Desk:
    """A terminal with the stack's environment."""

    def __init__(self, home: Path, mongo_url: str) -> None:
        campaign = home / "campaign.yaml"
        campaign.write_text(CAMPAIGN)
        self.settings = IngestSettings(
            home=home,
            mongo=SecretStr(mongo_url),
            port_base=free_base(),
            database_prefix=f"staff{os.getpid()}_",
        )
        self._environment = {
            **os.environ,
            "KONULLU_HOME": str(home),
            "KONULLU_CAMPAIGN": str(campaign),
            "KONULLU_PORT_BASE": str(self.settings.port_base),
            "KONULLU_DATABASE_PREFIX": self.settings.database_prefix,
            "MONGO_URL": mongo_url,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.ingest.people.cli", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def said(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
async def desk(tmp_path: Path, mongo_url: str) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, mongo_url)
    yield desk
    client = connect(mongo_url)
    await client.drop_database(f"{desk.settings.database_prefix}ingest")
    await client.close()


@pytest.fixture
async def database(desk: Desk, mongo_url: str) -> AsyncIterator[Database]:
    client = connect(mongo_url)
    yield client[f"{desk.settings.database_prefix}ingest"]
    await client.close()


async def test_adding_prints_a_token_and_nothing_else(desk: Desk) -> None:
    token = desk.said(
        "add", "--role", "moderator", "--name", "Leyla", "--languages", "az,en", "--countries", "TR,de",
        "--sections", "heritage",
    )  # fmt: skip

    claims = await verify(token, OwnKeys(signing_key(desk.settings.token_key).public_key()))
    assert claims.role == "moderator"
    assert claims.scopes.languages == ("az", "en")
    assert claims.scopes.countries == ("TR", "DE")
    assert claims.scopes.sections == ("heritage",)
    assert "Leyla" in desk.said("list")


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "--role", "moderator", "--name", "L", "--languages", "xx"),
        ("add", "--role", "moderator", "--name", "L", "--countries", "XX"),
        ("add", "--role", "moderator", "--name", "L", "--sections", "sport"),
        ("add", "--role", "volunteer", "--name", "L"),
        ("add", "--role", "moderator", "--name", ""),
        ("token", "nobody"),
        ("disable", "nobody"),
        ("link", "nobody"),
    ],
)
def test_a_mistake_is_told_on_standard_error(desk: Desk, arguments: tuple[str, ...]) -> None:
    done = desk.run(*arguments)

    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


async def test_a_new_token_and_disabling_raise_the_epoch_and_leave_events_to_publish(
    desk: Desk, database: Database
) -> None:
    first = desk.said("add", "--role", "editor", "--name", "Deniz")
    person_id = desk.said("list").split()[0]

    second = desk.said("token", person_id)
    desk.said("disable", person_id)
    refused = desk.run("token", person_id)

    epochs = [jwt.decode(token, options={"verify_signature": False})["epoch"] for token in (first, second)]
    found = await database["people"].find_one({"_id": person_id})
    assert epochs == [0, 1]
    assert found is not None
    assert (found["epoch"], found["active"], len(found["outbox"])) == (2, False, 3)
    assert refused.returncode != 0


async def test_the_first_administrator_is_made_once_and_gets_links_until_signed_in(
    desk: Desk, database: Database
) -> None:
    first = desk.said("bootstrap")
    second = desk.said("link", "--first")
    people = await database["people"].find({}).to_list(None)
    assert len(people) == 1
    assert people[0]["role"] == "admin"
    assert first.startswith(f"{desk.settings.public_url}/sign-in?link=")
    assert first != second

    await database["people"].update_one({}, {"$set": {"signed_in_at": people[0]["registered_at"]}})

    assert desk.said("bootstrap") == ""
    assert desk.said("link", people[0]["_id"]).startswith(desk.settings.public_url)
