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
