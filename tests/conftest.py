"""Fixtures that every layer shares: the real servers, fresh databases, and the real material where it lies."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from shared.storage.mongo import Client, Database, connect
from tests.support.drill import usually
from tests.support.processes import PATIENT_MS, Server, start_mongo, start_nats


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One database server for the whole run."""
    server = start_mongo(tmp_path_factory.mktemp("mongo"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mongo_url(mongo_server: Server) -> str:
    """Its address."""
    return mongo_server.url


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One broker for the whole run. Tests that bend its configuration start one of their own."""
    server = start_nats(tmp_path_factory.mktemp("nats"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def nats_url(nats_server: Server) -> str:
    """Its address."""
    return nats_server.url


@pytest.fixture(params=usually(["motor"], drill=["motor", "pymongo"]))
async def client(request: pytest.FixtureRequest, mongo_url: str) -> AsyncIterator[Client]:
    """A client of the driver in use; of each driver in turn in `make drill`."""
    opened = connect(mongo_url, request.param, timeout_ms=PATIENT_MS)
    yield opened
    await opened.close()


@pytest.fixture
async def database(client: Client) -> AsyncIterator[Database]:
    """A database of this test's own."""
    name = f"test_{uuid4().hex[:12]}"
    yield client[name]
    await client.drop_database(name)


@pytest.fixture
def material() -> Path:
    """The folder of real photos, video and texts, named by `KONULLU_MATERIAL`."""
    folder = Path(os.environ.get("KONULLU_MATERIAL", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(
            f"no real material at {folder}; set KONULLU_MATERIAL to a folder with photos/, video/ and texts/"
        )
    return folder
