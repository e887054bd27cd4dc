"""Languages by their own names, as their readers look for them."""

import pytest

from services.publisher.channels.website.languages import own_name


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("az", "Azərbaycanca"),
        ("de", "Deutsch"),
        ("ka", "ქართული"),
        ("ar", "العربية"),
        ("fr", "Français"),
        ("el", "Ελληνικά"),
        ("x-private", "x-private"),
    ],
)
def test_a_language_is_called_by_its_own_name_in_its_own_script(language: str, name: str) -> None:
    assert own_name(language) == name
