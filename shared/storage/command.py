"""The database for one command: opened, used, closed, and every failure of it one sentence without a secret."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.failures import Unavailable
from shared.settings import Settings, without_secrets
from shared.storage.mongo import TIMEOUT_MS, Client, PyMongoError, connect, is_unavailable


class DatabaseRefused(Exception):
    """The database cannot be used. The text says why and how to mend it."""


@asynccontextmanager
async def database_of(settings: Settings, *, app: str, timeout_ms: int = TIMEOUT_MS) -> AsyncIterator[Client]:
    """A client for the work below. Raises `SettingsError` for a wrong address, and `DatabaseRefused`."""
    address = without_secrets(settings.mongo_url)
    client = connect(settings.mongo_url, settings.mongo_driver, app=app, timeout_ms=timeout_ms)
    try:
        yield client
    except (PyMongoError, Unavailable) as error:
        if isinstance(error, Unavailable) or is_unavailable(error):
            text = f"the database at {address} (MONGO_URL) cannot be reached; is the stack running?"
        else:
            text = (
                f"the database at {address} refused ({type(error).__name__}, code {getattr(error, 'code', None)}); "
                "look at the account and the rights that MONGO_URL names"
            )
        # What the driver says may quote the address, and so may the chain of its exceptions.
        raise DatabaseRefused(text) from None
    finally:
        await client.close()
