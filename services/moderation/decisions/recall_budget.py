"""How many approvals one person may take back alone."""

from datetime import datetime, timedelta
from typing import Final

from shared.failures import Unavailable
from shared.storage.mongo import Collection, DuplicateKeyError

WITHIN: Final = timedelta(hours=1)
ALONE: Final = 10
ATTEMPTS: Final = 12


class RecallBudget:
    """Remembers when each person took something back lately; one document per person."""

    def __init__(self, collection: Collection, alone: int = ALONE) -> None:
        self._collection, self.alone = collection, alone

    async def spend(self, person_id: str, now: datetime) -> bool:
        """Count one more recall of this person's; false when there were as many as one may do alone."""
        for _ in range(ATTEMPTS):
            found = await self._collection.find_one({"_id": person_id})
            before = found["times"] if found else []
            lately = [each for each in before if each > now - WITHIN]
            if len(lately) >= self.alone:
                return False
            try:
                done = await self._collection.update_one(
                    {"_id": person_id, "times": before}, {"$set": {"times": [*lately, now]}}, upsert=not found
                )
            except DuplicateKeyError:
                continue
            if done.matched_count or done.upserted_id is not None:
                return True
        raise Unavailable("the recalls, which others keep changing")
