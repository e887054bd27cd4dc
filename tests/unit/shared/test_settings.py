from pathlib import Path

import pytest

from shared.settings import Settings, SettingsError


def test_the_machines_own_variables_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "HOST", "MEDIA", "NATS", "MONGO", "PUBLIC", "LOG_LEVEL"):
        monkeypatch.setenv(name, "/somebody/elses")
    monkeypatch.delenv("KONULLU_HOME", raising=False)

    settings = Settings.from_env()

    assert settings.home == Path(".konullu")
    assert settings.host == "127.0.0.1"
    assert settings.nats is None
    assert settings.log_level == "info"


def test_our_variables_and_overrides_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONULLU_HOME", "/srv/campaign")

    assert Settings.from_env().home == Path("/srv/campaign")
    assert Settings.from_env(home=Path("/elsewhere")).home == Path("/elsewhere")


def test_a_wrong_value_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONULLU_PORT_BASE", "eighty")

    with pytest.raises(SettingsError, match=r"port_base|KONULLU_PORT_BASE"):
        Settings.from_env()


def test_the_stacks_own_database_is_not_asked_to_remember_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONGO_URL", raising=False)

    assert Settings.from_env(port_base=8400).mongo_url == "mongodb://127.0.0.1:8411/?retryWrites=false"


def test_an_existing_database_is_addressed_as_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGO_URL", "mongodb://a,b,c/?replicaSet=konullu")

    assert Settings.from_env().mongo_url == "mongodb://a,b,c/?replicaSet=konullu"
