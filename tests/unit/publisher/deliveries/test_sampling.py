from datetime import timedelta

from services.publisher.channels.port import Sample
from services.publisher.deliveries.model import Delivery
from services.publisher.deliveries.publication import Publication, Reading
from services.publisher.deliveries.sampling import key_of, latest, take
from tests.support.builders.publications import NOON

DELIVERY = Delivery("d", "s", "c", "telegram", "az", 1, 1, NOON, state="posted", version=3)


def sample(value: int, hours: float = 0, **more: object) -> Sample:
    fields: dict[str, object] = {
        "metric": "views",
        "kind": "cumulative",
        "value": value,
        "source": "telegram:views",
        "observed_at": NOON + timedelta(hours=hours),
        **more,
    }
    return Sample(**fields)  # type: ignore[arg-type]


def told(*samples: Sample) -> list[tuple[int, int]]:
    """Version and value of what is told when these figures come one after the other."""
    publication = Publication("s", deliveries=(DELIVERY,))
    for each in samples:
        publication = take(publication, "d", [each])
    return [(each.version, each.sample.value) for each in publication.told if isinstance(each, Reading)]


def test_a_new_figure_is_told_and_an_unchanged_one_is_not() -> None:
    assert told(sample(7), sample(7, 1), sample(9, 2)) == [(4, 7), (5, 9)]


def test_an_unchanged_figure_is_told_again_after_a_while() -> None:
    assert told(sample(7), sample(7, 6)) == [(4, 7), (5, 7)]


def test_an_older_figure_than_the_known_one_is_not_told() -> None:
    assert told(sample(7, 1), sample(5, 0)) == [(4, 7)]


def test_figures_of_different_days_and_countries_are_different_figures() -> None:
    figures = [
        sample(7),
        sample(7, day="2026-11-23"),
        sample(7, audience_country="AZ"),
        sample(7, metric="shares"),
    ]

    assert len(figures) == len({key_of(each) for each in figures})
    assert len(figures) == len(told(*figures))
    assert "." not in key_of(sample(7, source="x:v2.1"))


def test_the_newest_reading_is_known() -> None:
    publication = take(
        Publication("s", deliveries=(DELIVERY,)), "d", [sample(7), sample(3, 2, metric="shares")]
    )

    delivery = publication.delivery("d")
    assert delivery is not None
    assert NOON + timedelta(hours=2) == latest(delivery)
    assert latest(DELIVERY) is None
