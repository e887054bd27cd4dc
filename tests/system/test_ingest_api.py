"""The authors' way through ingest, over HTTP, on the real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.ingest.app import assemble
from services.ingest.settings import IngestSettings
from shared.identity import OwnKeys, signing_key
from tests.running import Running, provisioned, running, settings_for

CAMPAIGN = """
name: Voices of the old town
languages: [az, tr, en]
countries: [AZ, TR, DE]
sections: [{id: heritage, name: Heritage}]
terms_version: "2026-1"
channels: [{id: site, kind: website}]
"""


@pytest.fixture
async def ingest(tmp_path: Path, nats_url: str, mongo_url: str) -> AsyncIterator[Running]:
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(CAMPAIGN)
    shared = settings_for(tmp_path / "home", nats_url=nats_url, mongo_url=mongo_url, campaign_path=campaign)
    settings = IngestSettings.of(shared)
    await provisioned(settings)
    keys = OwnKeys(signing_key(settings.token_key).public_key())
    async with running("ingest", settings, assemble, keys=keys) as service:
        yield service


async def volunteer(ingest: Running) -> dict[str, str]:
    answer = await ingest.http.post(
        "/v1/volunteers", json={"name": "Aygün", "country": "AZ", "languages": ["az"]}
    )
    assert answer.status_code == 201, answer.text
    means: dict[str, str] = answer.json()
    return means


def body(**changed: Any) -> dict[str, Any]:
    return {
        "title": "Köhnə şəhər",
        "body": "Birinci sətir\nikinci sətir",
        "language": "az",
        "country": "AZ",
        "consent": {"terms_version": "2026-1", "people_shown": "none", "rights": "own"},
        **changed,
    }


def headers(means: dict[str, str], key: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {means['token']}", "Idempotency-Key": key or str(uuid4())}


async def test_a_submission_is_answered_with_a_receipt_and_found_again_by_its_author_alone(ingest: Running) -> None:
    author, stranger = await volunteer(ingest), await volunteer(ingest)

    answer = await ingest.http.post("/v1/submissions", json=body(), headers=headers(author))

    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert set(receipt) == {"submission_id", "receipt", "revision", "status_url"}
    own = await ingest.http.get(f"/v1/submissions/{receipt['submission_id']}", headers=headers(author))
    assert own.json()["state"] == "received"
    listed = await ingest.http.get("/v1/submissions", headers=headers(author))
    assert [each["submission_id"] for each in listed.json()["items"]] == [receipt["submission_id"]]
    others = await ingest.http.get(f"/v1/submissions/{receipt['submission_id']}", headers=headers(stranger))
    assert (others.status_code, others.json()["type"]) == (404, "urn:konullu:problem:submission_unknown")
