"""Which of a channel's figures are news. A figure that has not changed is told again only now and then. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from services.publisher.channels.port import Sample
from services.publisher.deliveries.model import Delivery, DeliveryFigure
from services.publisher.deliveries.publication import Publication, Reading

TELL_AGAIN_AFTER: Final = timedelta(hours=6)
"""An unchanged figure is told again after this long, so that its age shows that it was looked at."""


def key_of(sample: Sample) -> str:
    """What makes two figures the same figure at two times. No `.` and no `$`: it names a field."""
    parts = (sample.metric, sample.kind, sample.day or "", sample.audience_country or "", sample.source)
    return "|".join(parts).replace(".", "_").replace("$", "_")


def take(publication: Publication, wanted: str, samples: Sequence[Sample]) -> Publication:
    """The publication with the news among `samples` kept and to be told; the same one when nothing is new."""
    for sample in samples:
        delivery = publication.delivery(wanted)
        if delivery is None or not _is_news(delivery, sample):
            continue
        version = delivery.version + 1
        figure = DeliveryFigure(sample.value, sample.source, sample.observed_at)
        after = replace(delivery, version=version, figures={**delivery.figures, key_of(sample): figure})
        publication = publication.put(after)
        publication = replace(publication, told=(*publication.told, Reading(after, version, sample)))
    return publication


def latest(delivery: Delivery) -> datetime | None:
    """When the newest figure of a delivery was read; `None` when there is none."""
    return max((figure.observed_at for figure in delivery.figures.values()), default=None)


def _is_news(delivery: Delivery, sample: Sample) -> bool:
    known = delivery.figures.get(key_of(sample))
    if known is None:
        return True
    if sample.observed_at <= known.observed_at:
        return False
    return sample.value != known.value or sample.observed_at - known.observed_at >= TELL_AGAIN_AFTER
