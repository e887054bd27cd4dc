"""A moderation desk on a database of its own."""

import pytest

from shared.storage.mongo import Database
from tests.support.builders.moderation_stores import Stage


@pytest.fixture
async def stage(database: Database) -> Stage:
    return await Stage.on(database)
