import pytest

from tests.campaign.plan import COUNTRIES, LANGUAGES, plan


def test_the_whole_campaign_is_that_of_2020() -> None:
    whole = plan()

    assert len(whole.items) == 3_000
    assert set(whole.countries) == set(COUNTRIES)
    assert len(whole.countries) == 67
    assert {item.language for item in whole.items} == set(LANGUAGES)
    assert (whole.photos, whole.videos) == (2_000, 27)
    assert (whole.clicks, whole.views) == (20_000, 100_000)


@pytest.mark.parametrize("size", [1, 12, 60, 999])
def test_a_smaller_campaign_is_in_proportion_and_always_the_same(size: int) -> None:
    small = plan(size, seed=7)

    assert small == plan(size, seed=7)
    assert len(small.items) == size
    assert len({item.marker for item in small.items}) == size
    assert (small.clicks, small.views) == (size * 20_000 // 3_000, size * 100_000 // 3_000)
