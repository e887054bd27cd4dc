from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import Settings, SettingsError, without_secrets


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


PASSWORD = "s3cr3t-parol"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"mongodb://user:{PASSWORD}@one:27017,two:27018/?replicaSet=r", "mongodb://one:27017,two:27018"),
        (f"mongodb://user:{PASSWORD}@[::1]:27017/", "mongodb://[::1]:27017"),
        (f"mongodb+srv://user:p/{PASSWORD}@cluster.example.org/x", "mongodb+srv://cluster.example.org"),
        (f"nats://{PASSWORD}@broker:4222", "nats://broker:4222"),
        (f"nats://user:{PASSWORD}", "nats://(hidden)"),
        (f"mongodb://host/?password={PASSWORD}", "mongodb://host"),
        (PASSWORD, "(hidden)"),
        ("", "(hidden)"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


@given(
    start=st.sampled_from(["mongodb://", "nats://", "mongodb+srv://", "", "//", "mongodb:/"]),
    user=st.text(max_size=5),
    around=st.tuples(st.text(max_size=4), st.text(max_size=4)),
    host=st.sampled_from(["host", "host:27017", "a,b", "[::1]:1", ""]),
)
def test_no_password_is_shown_however_wrong_its_address_is(
    start: str, user: str, around: tuple[str, str], host: str
) -> None:
    address = f"{start}{user}:{around[0]}{PASSWORD}{around[1]}@{host}/?a=b"

    assert PASSWORD not in without_secrets(address)


@pytest.mark.parametrize(
    "wrong",
    [
        "nats://user:s3cr3t-parol@host:port",
        "s3cr3t-parol",
        "nats://u:s3cr3t-parol@",
        "nats://us er:/s3cr3t-parol/x@127.0.0.1:1",
    ],
)
def test_a_wrong_address_of_the_broker_is_told_without_its_password(wrong: str) -> None:
    with pytest.raises(SettingsError, match="NATS_URL") as refused:
        _ = Settings.from_env(nats=wrong).nats_urls

    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    "right",
    ["nats://127.0.0.1:4222", "nats://user:p%40ss@one:4222,nats://user:p@two:4222", "tls://[::1]:4222/"],
)
def test_a_right_address_of_the_broker_is_taken_as_it_is(right: str) -> None:
    assert Settings.from_env(nats=right).nats_urls == right.split(",")
