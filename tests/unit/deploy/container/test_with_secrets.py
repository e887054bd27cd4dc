"""Secrets that are files become variables of one program; a mistake names the file and never the value."""

from pathlib import Path

import pytest

from deploy.container.with_secrets import CREDENTIALS, WrongCredentials, resolved

VALUE = "5ecret=with#signs "


def given(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "channels.env"
    file.write_text(text)
    return {"PATH": "/bin", CREDENTIALS: str(file)}


def test_credentials_are_what_the_campaign_file_names(tmp_path: Path) -> None:
    found = resolved(given(tmp_path, f"# channels\n\nTG_TOKEN={VALUE}\n PARTNERS_SECRET = x\n"))

    assert found == {"PATH": "/bin", "TG_TOKEN": VALUE.strip(), "PARTNERS_SECRET": "x"}


def test_a_file_without_credentials_gives_none(tmp_path: Path) -> None:
    assert resolved(given(tmp_path, "# none yet\n")) == {"PATH": "/bin"}


@pytest.mark.parametrize("line", ["5ecret", f"export TG={VALUE}", f"tg={VALUE}", f"={VALUE}"])
def test_a_line_that_is_none_is_named_without_its_value(tmp_path: Path, line: str) -> None:
    with pytest.raises(WrongCredentials, match=r"channels\.env:2: write NAME=value") as caught:
        resolved(given(tmp_path, f"# first\n{line}\n"))

    assert "5ecret" not in str(caught.value)


def test_no_credential_takes_the_place_of_a_setting(tmp_path: Path) -> None:
    with pytest.raises(WrongCredentials, match="PATH has a meaning already") as caught:
        resolved(given(tmp_path, "PATH=/tmp/5ecret\n"))

    assert "5ecret" not in str(caught.value)
