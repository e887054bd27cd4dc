import pytest

from shared.text.short_codes import ID_LENGTH, base32_of, short_code


@pytest.mark.parametrize(("name", "code"), [("example", "kdmfryeyl3"), ("", "4oymiquy7q")])
def test_codes_stay_what_they_were_when_links_were_printed(name: str, code: str) -> None:
    assert short_code(name) == code
    assert base32_of(name, ID_LENGTH).startswith(code)
