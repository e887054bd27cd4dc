"""Ingest's HTTP contract: its OpenAPI document is committed, and a change is a visible diff.

`python -m tests.contracts.test_ingest_openapi` writes it anew after a change that was meant.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from services.ingest.app import assemble
from services.ingest.settings import IngestSettings
from shared.service import Process, build_runtime, create_app, wire

COMMITTED = Path(__file__).parent / "openapi" / "ingest.json"
CAMPAIGN = """
name: Voices of the old town
languages: [az]
countries: [AZ]
terms_version: "1"
channels: [{id: site, kind: website}]
"""


async def described(home: Path) -> dict[str, Any]:
    campaign = home / "campaign.yaml"
    campaign.write_text(CAMPAIGN)
    runtime = build_runtime("ingest", IngestSettings(home=home, campaign_path=campaign))
    parts = assemble(runtime)
    wire(runtime, parts)
    document: dict[str, Any] = create_app(Process(runtime, parts)).openapi()
    await runtime.client.close()
    return document


def rendered(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


async def test_the_api_is_the_one_that_is_committed(tmp_path: Path) -> None:
    assert COMMITTED.read_text() == rendered(await described(tmp_path))


async def test_every_call_of_the_architecture_is_there(tmp_path: Path) -> None:
    paths = (await described(tmp_path))["paths"]

    calls = {(method, path) for path, methods in paths.items() for method in methods}
    assert calls >= {
        ("post", "/v1/volunteers"),
        ("post", "/v1/recovery"),
        ("post", "/v1/sessions"),
        ("post", "/v1/submissions"),
        ("get", "/v1/submissions/{submission_id}"),
        ("post", "/v1/submissions/{submission_id}/revisions"),
        ("post", "/v1/submissions/{submission_id}/withdrawal"),
        ("post", "/v1/uploads"),
        ("get", "/.well-known/jwks.json"),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        COMMITTED.write_text(rendered(asyncio.run(described(Path(folder)))))
