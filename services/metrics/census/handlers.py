"""Batches of what happened to people and submissions in: what is news, in one write. Return when it is stored."""

from services.metrics.census.model import joined, received, withdrawn
from services.metrics.census.store import Census
from shared.bus.consuming import Batch


async def join(batch: Batch, census: Census) -> None:
    """People joined: so many members more."""
    await census.record(joined(event) for _, event in batch)


async def receive(batch: Batch, census: Census) -> None:
    """Submissions came in: so many more, revisions aside."""
    await census.record(received(event) for _, event in batch)


async def withdraw(batch: Batch, census: Census) -> None:
    """Authors took them back. They were accepted all the same; what is visible follows from deliveries."""
    await census.record(withdrawn(event) for _, event in batch)
