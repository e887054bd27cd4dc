"""A database whose process dies: after so many writes the next one fails, and so does everything after it."""

from typing import Any, cast

from shared.failures import Unavailable
from shared.storage.mongo import Collection, Database

WRITES = frozenset(
    {"insert_one", "insert_many", "update_one", "update_many", "replace_one", "delete_one", "delete_many"}
)


class Life:
    """What is left of it."""

    def __init__(self, writes: int) -> None:
        self.writes = writes

    def spend(self) -> None:
        if self.writes <= 0:
            raise Unavailable("this process, which has died")
        self.writes -= 1


class _Dying:
    def __init__(self, collection: Collection, life: Life) -> None:
        self._collection, self._life = collection, life

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._collection, name)
        if name not in WRITES:
            return call

        async def write(*given: Any, **named: Any) -> Any:
            self._life.spend()
            return await call(*given, **named)

        return write


class _DyingDatabase:
    def __init__(self, database: Database, life: Life) -> None:
        self._database, self._life = database, life

    def __getitem__(self, name: str) -> Collection:
        return cast("Collection", _Dying(self._database[name], self._life))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def dying(database: Database, writes: int) -> Database:
    """The same database for a process that lives for so many more writes."""
    return cast("Database", _DyingDatabase(database, Life(writes)))
