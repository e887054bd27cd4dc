import base64
import json
from pathlib import Path

import pytest

from deploy.cli.doctor import examine
from deploy.cli.operator import _claims
from deploy.cli.stack import CommandError
from deploy.cli.submit import FileToSend
from deploy.container.healthy import main as healthy
from deploy.supervisor.layout import Layout, network_name
from shared.settings import Settings


def _layout(tmp_path: Path, **given: object) -> Layout:
    return Layout.of(Settings.from_env(home=tmp_path / "home", **given), None)


def test_a_photo_is_given_with_what_it_shows(tmp_path: Path) -> None:
    photo = tmp_path / "fair.jpg"
    photo.touch()

    assert FileToSend.parse(f"{photo}: Tents: people ") == FileToSend(photo, "Tents: people")


def test_a_path_may_hold_a_colon(tmp_path: Path) -> None:
    photo = tmp_path / "18:30.jpg"
    photo.touch()

    assert FileToSend.parse(f"{photo}:Evening") == FileToSend(photo, "Evening")


def test_a_photo_without_alternative_text_is_refused_with_an_example(tmp_path: Path) -> None:
    photo = tmp_path / "fair.jpg"
    photo.touch()

    with pytest.raises(CommandError, match="no alternative text"):
        FileToSend.parse(str(photo))
    with pytest.raises(CommandError, match="is no file"):
        FileToSend.parse("nowhere.jpg:Evening")


@pytest.mark.parametrize("name", ["", "127.0.0.1", "localhost", "::1"])
def test_loopback_names_keep_the_gateway_on_loopback(name: str) -> None:
    assert network_name({"KONULLU_HOST": name}) is None


def test_a_network_name_makes_the_address_https(tmp_path: Path) -> None:
    settings = Settings.from_env(home=tmp_path, port_base=9000, public=None)

    layout = Layout.of(settings, "newsroom.lan")

    assert layout.public_url == "https://newsroom.lan:9000"
    assert layout.environment()["KONULLU_HOST"] == "127.0.0.1"


def test_existing_engines_need_no_ports(tmp_path: Path) -> None:
    own = _layout(tmp_path).ports()
    given = _layout(tmp_path, nats="nats://elsewhere:4222", mongo="mongodb://elsewhere").ports()

    assert set(own) - set(given) == {"nats", "nats monitoring", "database"}


def test_remote_media_have_no_folder(tmp_path: Path) -> None:
    assert _layout(tmp_path, media="s3://bucket").site_folder is None
    assert _layout(tmp_path).site_folder == tmp_path / "home/media/site"


def test_the_doctor_names_an_open_home_and_a_wrong_campaign(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text("name: {en: A}\nlanguages: [xx-nope]\n")

    findings = {each.what: each for each in examine(_layout(tmp_path, campaign_path=campaign), running=True)}

    assert not findings["home"].fine
    assert "chmod 700" in findings["home"].says
    assert not findings["campaign"].fine
    assert findings["nats-server"].fine


def test_a_token_says_until_when_it_is_good() -> None:
    middle = base64.urlsafe_b64encode(json.dumps({"sub": "x", "exp": 5}).encode()).decode().rstrip("=")

    assert _claims(f"head.{middle}.tail") == {"sub": "x", "exp": 5}
    assert _claims("torn") == {}


def test_a_service_that_is_away_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONULLU_PORT_BASE", "1024")

    assert healthy(["ingest"]) == 1
    assert healthy([]) == 1
