"""Short links: where a code leads. Answered from memory first, so that no outage stops a redirect."""

import re
from asyncio import wait_for
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from shared.events import DeliveryChanged
from shared.storage.mongo import BulkWriteError, Collection, PyMongoError, UpdateOne, is_duplicate

CODE: Final = re.compile(r"[a-z2-7]{10}")
REMEMBERED: Final = 50_000
"""Targets kept in memory and in the file."""
LOOKUP_SECONDS: Final = 0.3
"""A visitor does not wait longer for the database."""


def well_formed(code: str) -> str | None:
    """The code in its one form, or nothing when it can be no delivery's. Codes may be typed from paper."""
    lower = code.lower()
    return lower if CODE.fullmatch(lower) else None


def fallback(public_url: str, code: str) -> str:
    """Where an unknown code leads: a file that the publisher writes before anything is posted."""
    return f"{public_url}/go/{code}"


def _link(event: DeliveryChanged) -> UpdateOne:
    link = {"target": event.target, "version": event.version, "delivery": event.subject_id}
    return UpdateOne({"_id": event.code, "version": {"$lt": event.version}}, {"$set": link}, upsert=True)


class Links:
    """The collection `links`, a bounded memory before it, and a file by which the memory survives a restart."""

    def __init__(self, collection: Collection, file: Path, *, remembered: int = REMEMBERED) -> None:
        self._collection, self._file, self._limit = collection, file, remembered
        self._targets: OrderedDict[str, str] = OrderedDict()
        self._lines = 0
        self._load()

    def _load(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._file.exists():
            return
        for line in self._file.read_text(encoding="utf-8", errors="replace").splitlines():
            code, _, target = line.partition("\t")
            self._lines += 1
            if CODE.fullmatch(code) and target.startswith(("https://", "http://")):
                self._put(code, target)

    def _put(self, code: str, target: str) -> None:
        self._targets[code] = target
        self._targets.move_to_end(code)
        while len(self._targets) > self._limit:
            self._targets.popitem(last=False)

    def remember(self, targets: Mapping[str, str]) -> None:
        """Keep targets in memory, and in the file for the next start. A full disk costs only the latter."""
        news = {code: target for code, target in targets.items() if self._targets.get(code) != target}
        if not news:
            return
        for code, target in news.items():
            self._put(code, target)
        try:
            if self._lines > 2 * self._limit:
                lines = "".join(f"{code}\t{target}\n" for code, target in self._targets.items())
                fresh = self._file.with_suffix(".new")
                fresh.write_text(lines, encoding="utf-8")
                fresh.replace(self._file)
                self._lines = len(self._targets)
            else:
                with self._file.open("a", encoding="utf-8") as file:
                    file.writelines(f"{code}\t{target}\n" for code, target in news.items())
                self._lines += len(news)
        except OSError:
            return

    async def learn(self, events: Sequence[DeliveryChanged]) -> None:
        """Store where deliveries' codes lead; an older event changes nothing."""
        latest: dict[str, DeliveryChanged] = {}
        for event in events:
            if event.code not in latest or latest[event.code].version < event.version:
                latest[event.code] = event
        older: set[int] = set()
        try:
            await self._collection.bulk_write([_link(event) for event in latest.values()], ordered=False)
        except BulkWriteError as error:
            if not is_duplicate(error):
                raise
            # The upsert of an older version finds no older document, and the newer one in its place.
            older = {one["index"] for one in (error.details or {})["writeErrors"]}
        self.remember(
            {event.code: event.target for index, event in enumerate(latest.values()) if index not in older}
        )

    async def known(self, codes: Sequence[str], *, ask: bool) -> list[str]:
        """Those of some codes that lead somewhere, as `target` finds out."""
        found = [code for code in codes if code in self._targets]
        if ask and (left := [code for code in codes if code not in self._targets]):
            try:
                documents = await wait_for(
                    self._collection.find({"_id": {"$in": left}}).to_list(None), LOOKUP_SECONDS
                )
            except (PyMongoError, TimeoutError):
                return found
            self.remember({document["_id"]: document["target"] for document in documents})
            found += [document["_id"] for document in documents]
        return found

    async def target(self, code: str, *, ask: bool = True) -> str | None:
        """Where a code leads, if that is known or, with `ask`, the database says so in time."""
        if code in self._targets:
            self._targets.move_to_end(code)
            return self._targets[code]
        if not ask:
            return None
        try:
            found = await wait_for(self._collection.find_one({"_id": code}), LOOKUP_SECONDS)
        except (PyMongoError, TimeoutError):
            return None
        if found is None:
            return None
        self.remember({code: found["target"]})
        return str(found["target"])
