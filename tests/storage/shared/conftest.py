"""What every store rests on runs on both drivers in every run."""

from collections.abc import AsyncIterator

import pytest

from shared.storage.mongo import Client, connect
from tests.support.processes import PATIENT_MS


@pytest.fixture(params=["motor", "pymongo"])
async def client(request: pytest.FixtureRequest, mongo_url: str) -> AsyncIterator[Client]:
    """A client of each driver in turn."""
    opened = connect(mongo_url, request.param, timeout_ms=PATIENT_MS)
    yield opened
    await opened.close()
