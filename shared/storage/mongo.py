"""The database: one client per process, and the only place that knows which driver is underneath.

Motor is what was asked for; it is in maintenance until May 2027 and its successor is PyMongo's asynchronous client. Both
have the same calls for everything in the protocols below, and the storage tests run on both. What differs between them
(`aggregate`, `watch`, sessions) is not offered.

Every write is acknowledged by a majority and journalled. A time-out, or a connection lost on the way, means *unknown*,
not *failed*: read again. Whether the driver itself tries a write once more is the address's to say (`retryWrites`).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol, Self, cast

from pymongo import InsertOne as _InsertOne
from pymongo import ReplaceOne as _ReplaceOne
from pymongo import UpdateOne as _UpdateOne
from pymongo import errors

from shared.failures import means_away
from shared.settings import SettingsError, without_secrets
from shared.storage.document import Document

InsertOne = _InsertOne
"""One write of a `bulk_write`: a new document."""
ReplaceOne = _ReplaceOne
"""One write of a `bulk_write`: the document that a filter finds, replaced whole."""
UpdateOne = _UpdateOne
"""One write of a `bulk_write`: a change of the document that a filter finds."""
BulkWriteError = errors.BulkWriteError
"""Some of many writes were refused; `details["writeErrors"]` says which."""
DuplicateKeyError = errors.DuplicateKeyError
"""A unique index, or `_id`, refused a write."""
WriteError = errors.WriteError
"""One write was refused."""
PyMongoError = errors.PyMongoError
"""Whatever a driver raises; see `is_unavailable`."""
Driver = Literal["motor", "pymongo"]

TIMEOUT_MS = 5000
POOL_SIZE = 50


class InsertOneResult(Protocol):
    """The answer to an insert."""

    @property
    def inserted_id(self) -> Any: ...


class UpdateResult(Protocol):
    """The answer to an update."""

    @property
    def matched_count(self) -> int: ...
    @property
    def modified_count(self) -> int: ...
    @property
    def upserted_id(self) -> Any: ...


class DeleteResult(Protocol):
    """The answer to a delete."""

    @property
    def deleted_count(self) -> int: ...


class Cursor(Protocol):
    """A query's results."""

    def sort(self, key_or_list: Any, direction: Any = None) -> Self: ...
    def limit(self, limit: int) -> Self: ...
    def skip(self, skip: int) -> Self: ...
    def hint(self, index: Any) -> Self: ...
    async def to_list(self, length: int | None = None) -> list[Document]: ...
    def __aiter__(self) -> AsyncIterator[Document]: ...


class Collection(Protocol):
    """What storage files may use of a collection: the calls that both drivers have, with the same meaning."""

    @property
    def name(self) -> str: ...
    async def insert_one(self, document: Document) -> InsertOneResult: ...
    async def insert_many(self, documents: Sequence[Document], ordered: bool = True) -> Any: ...
    async def find_one(
        self,
        filter: Any = None,
        projection: Any = None,
        **options: Any,
    ) -> Document | None: ...
    def find(self, filter: Any = None, projection: Any = None, **options: Any) -> Cursor: ...
    async def update_one(
        self,
        filter: Mapping[str, Any],
        update: Any,
        upsert: bool = False,
        **options: Any,
    ) -> UpdateResult: ...
    async def update_many(
        self,
        filter: Mapping[str, Any],
        update: Any,
        upsert: bool = False,
        **options: Any,
    ) -> UpdateResult: ...
    async def replace_one(
        self,
        filter: Mapping[str, Any],
        replacement: Document,
        upsert: bool = False,
    ) -> UpdateResult: ...
    async def delete_one(self, filter: Mapping[str, Any]) -> DeleteResult: ...
    async def delete_many(self, filter: Mapping[str, Any]) -> DeleteResult: ...
    async def bulk_write(self, requests: Sequence[Any], ordered: bool = True) -> Any: ...
    async def count_documents(self, filter: Mapping[str, Any], **options: Any) -> int: ...
    async def distinct(self, key: str, filter: Mapping[str, Any] | None = None) -> list[Any]: ...
    async def create_index(self, keys: Any, **options: Any) -> str: ...
    async def drop(self) -> None: ...


class Database(Protocol):
    """A service's own database."""

    @property
    def name(self) -> str: ...
    def __getitem__(self, name: str) -> Collection: ...
    async def command(self, command: Any, **options: Any) -> Document: ...


class Client:
    """One per process and event loop."""

    def __init__(self, raw: Any, driver: Driver) -> None:
        self._raw, self._driver = raw, driver

    def __getitem__(self, name: str) -> Database:
        return cast("Database", self._raw[name])

    async def ping(self) -> None:
        """Ask the primary whether it is there. Raises what `is_unavailable` knows."""
        await self._raw.admin.command("ping")

    async def drop_database(self, name: str) -> None:
        """Remove a database whole (tests)."""
        await self._raw.drop_database(name)

    async def close(self) -> None:
        """End all connections."""
        if self._driver == "motor":
            self._raw.close()
        else:
            await self._raw.close()


def connect(
    url: str, driver: Driver = "motor", *, app: str = "konullu", timeout_ms: int = TIMEOUT_MS
) -> Client:
    """A client that connects at first use. Must be called inside the event loop that will use it.

    Raises `SettingsError` when `url` is no address of a database; the text holds no part of it that may be secret.
    """
    try:
        return _client(url, driver, app, timeout_ms)
    except (errors.ConfigurationError, ValueError, TypeError):
        # What the driver says quotes the address, and so may the chain of its exceptions.
        text = (
            f"setting MONGO_URL: {without_secrets(url)} is no address of a database; it has the form "
            "mongodb://USER:PASSWORD@HOST:PORT/, with other characters than letters and digits percent-encoded"
        )
    raise SettingsError(text)


def _client(url: str, driver: Driver, app: str, timeout_ms: int) -> Client:
    options: dict[str, Any] = {
        "appname": app,
        "w": "majority",
        "journal": True,
        "readConcernLevel": "majority",
        "tz_aware": True,
        "timeoutMS": timeout_ms,
        "serverSelectionTimeoutMS": min(timeout_ms, TIMEOUT_MS),
        "connectTimeoutMS": 3000,
        "maxPoolSize": POOL_SIZE,
    }
    if driver == "motor":
        from motor.motor_asyncio import AsyncIOMotorClient  # noqa: PLC0415 - only the driver in use is loaded

        raw: Any = AsyncIOMotorClient(url, **options)
        return Client(raw, driver)
    from pymongo import AsyncMongoClient  # noqa: PLC0415 - only the driver in use is loaded

    return Client(AsyncMongoClient(url, **options), driver)


UNAVAILABLE_CODES = frozenset(
    {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 50, 64, 14031}
)
"""Server codes that mean the server, not the request, is in trouble (unreachable, stepping down, time limit, disk full)."""


@means_away
def is_unavailable(error: BaseException) -> bool:
    """Whether the failure is the store being away rather than the request being wrong."""
    if isinstance(error, errors.ConnectionFailure | errors.WTimeoutError | errors.ExecutionTimeout):
        return True
    if isinstance(error, errors.PyMongoError) and error.timeout:
        return True
    return isinstance(error, errors.OperationFailure) and error.code in UNAVAILABLE_CODES


DUPLICATE_KEY = 11000


def is_duplicate(error: BaseException) -> bool:
    """Whether a unique index, or `_id`, refused the write."""
    return isinstance(error, errors.DuplicateKeyError) or (
        isinstance(error, errors.BulkWriteError)
        and any(one.get("code") == DUPLICATE_KEY for one in (error.details or {}).get("writeErrors", []))
    )
