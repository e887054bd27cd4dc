"""Batches of reach in: each counted once, with one write. Return when it is stored."""

from services.metrics.counting.model import click_of, sample_of
from services.metrics.counting.service import Counts
from shared.bus.consuming import Batch
from shared.failures import Unprocessable


async def count_clicks(batch: Batch, counts: Counts) -> None:
    """Count short links that were followed."""
    clicks = [click_of(event) for _, event in batch]
    await counts.count(clicks, first=batch[0][0], last=batch[-1][0])


async def count_samples(batch: Batch, counts: Counts) -> None:
    """Count what channels say when asked. Raises `Unprocessable` when one says what cannot be counted."""
    try:
        samples = [sample_of(event) for _, event in batch]
    except ValueError as error:
        raise Unprocessable(str(error)) from error
    await counts.count(samples, first=batch[0][0], last=batch[-1][0])
