"""The database is killed and started again while people decide: each is answered with what happened, or asked to repeat."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from services.moderation.app import assemble
from services.moderation.settings import ModerationSettings
from shared.identity.tokens import OwnKeys, signing_key
from tests.support.builders.submissions import submission
from tests.support.moderators import Person, submitted
from tests.support.processes import Server, start_mongo, start_nats, within
from tests.support.running import Running, provisioned, running, settings_for

MODERATORS: Final = 6
CASES: Final = 60
RESTARTS: Final = 3
PATIENCE_SECONDS: Final = 60.0


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[Server]:
    server = start_mongo(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Server]:
    server = start_nats(tmp_path)
    yield server
    server.stop()


async def asked(service: Running, person: Person, path: str, body: dict[str, Any], seen: Counter[int]) -> Any:
    """The answer, however often it takes; every answer on the way asks for patience and says why."""
    while True:
        answer = await service.http.post(path, json=body, headers=person._headers)
        seen[answer.status_code] += 1
        if answer.status_code != 503:
            return answer
        assert answer.json()["type"] == "urn:konullu:problem:unavailable"
        assert answer.headers["retry-after"]
        await asyncio.sleep(0.02)


@pytest.mark.timeout(120)
async def test_a_decision_while_the_database_restarts_is_done_or_answered_503_and_done_when_repeated(
    tmp_path: Path, nats: Server, mongo: Server
) -> None:
    settings = ModerationSettings.of(settings_for(tmp_path / "home", nats_url=nats.url, mongo_url=mongo.url))
    await provisioned(settings)
    keys = OwnKeys(signing_key(settings.keys / "tokens.pem").public_key())
    seen: Counter[int] = Counter()
    decided: dict[str, str] = {}

    async with running("moderation", settings, assemble, keys=keys) as service:
        await submitted(service, *(submission() for _ in range(CASES)))

        async def decide_all(name: str) -> None:
            person = Person(service, name)
            while (claim := await asked(service, person, "/v1/claims", {}, seen)).status_code == 201:
                body = {"claim_token": claim.json()["claim_token"], "verdict": "approve"}
                answer = await asked(service, person, "/v1/decisions", body, seen)
                assert answer.status_code == 200, answer.text
                again = await asked(service, person, "/v1/decisions", body, seen)
                assert again.json()["decision_id"] == answer.json()["decision_id"]
                decided[claim.json()["submission"]["submission_id"]] = answer.json()["decision_id"]

        async def restart() -> None:
            for number in range(1, RESTARTS + 1):
                while len(decided) < CASES * number // (RESTARTS + 2):
                    await asyncio.sleep(0.005)
                mongo.kill()
                await asyncio.to_thread(mongo.start)

        async with within(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(restart())
            for number in range(MODERATORS):
                group.create_task(decide_all(f"moderator-{number}"))
        stored = {
            document["_id"]: [each["decision_id"] for each in document["decisions"]]
            async for document in service.runtime.database["cases"].find({"decisions": {"$ne": []}})
        }

    assert seen[503], "no decision met a restart"
    assert set(seen) <= {200, 201, 204, 503}
    assert decided.items() <= {case: made[-1] for case, made in stored.items()}.items()
    assert all(len(made) == 1 for made in stored.values())
    assert len(stored) >= CASES - MODERATORS * RESTARTS, "only a claim whose answer was lost is still held"
