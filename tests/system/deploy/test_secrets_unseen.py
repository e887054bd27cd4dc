"""No command prints a password, however wrong the address is that holds it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner

from deploy.cli import calls
from deploy.cli.main import app
from services.ingest.people.cli import app as staff
from services.metrics.counting import rebuild
from services.moderation.audit.cli import app as audit
from shared.bus import provision
from tests.support.processes import free_base

PASSWORD = "s3cr3t-parol"
WRONG = {
    "the port is none": ("mongodb://user:{}@127.0.0.1:port/", "nats://user:{}@127.0.0.1:port"),
    "not percent-encoded": ("mongodb://us er:/{}/x@127.0.0.1:1", "nats://us er:/{}/x@127.0.0.1:1"),
    "two at signs": ("mongodb://user:p@{}@127.0.0.1:1", "nats://user:p@{}@"),
    "the password alone": ("{}", "{}"),
}
ARGUMENTS = {
    "add": ["--role", "moderator", "--name", "L"],
    "disable": ["nobody"],
    "token": ["nobody"],
    "link": ["nobody"],
    "submit": ["--title", "x", "--language", "az", "--country", "AZ"],
    "inspect": ["1"],
    "replay": ["1"],
    "discard": ["1"],
    "restart": ["ingest"],
}
ELSEWHERE = {"staff", "audit", "recount"}
"""Commands that run a module of a service, which is asked for itself."""
LASTING = {"up"}
"""Commands that go on until they are told to stop."""


def commands(program: typer.Typer) -> list[list[str]]:
    """Every command of a program, with what it must be given."""
    found: list[list[str]] = []
    root = typer.main.get_command(program)
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # the root is a group
        below = getattr(command, "commands", None)
        found += [[name, each] for each in below] if below else [[name]]
    return [[*words, *ARGUMENTS.get(words[-1], [])] for words in found if words[0] not in ELSEWHERE | LASTING]


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands set up the log of their process, which is the tests' own here: nothing of it may outlive a test."""
    configure = structlog.configure

    def for_now(**given: Any) -> None:
        configure(**{**given, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", for_now)
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KONULLU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KONULLU_PORT_BASE", str(free_base()))
    monkeypatch.setattr(calls, "_PAUSE", 0.0)  # nobody is there, and nobody will come
    return tmp_path / "home"


def addressed(monkeypatch: pytest.MonkeyPatch, mongo: str, nats: str) -> None:
    monkeypatch.setenv("MONGO_URL", mongo.format(PASSWORD))
    monkeypatch.setenv("NATS_URL", nats.format(PASSWORD))


def refused(program: typer.Typer, words: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """What a command says, on whatever stream and in whatever error."""
    done = CliRunner().invoke(program, words)
    captured = capfd.readouterr()
    chain, error = "", done.exception
    while error is not None:
        chain, error = f"{chain}\n{error!r}", None if error.__suppress_context__ else error.__context__
    return done.output + captured.out + captured.err + chain


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("program", [app, staff, audit], ids=["konullu", "staff", "audit"])
def test_no_command_prints_the_password_of_a_wrong_address(
    program: typer.Typer, wrong: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    addressed(monkeypatch, *WRONG[wrong])

    said = {" ".join(words): refused(program, words, capfd) for words in commands(program)}

    assert len(said) > 1
    assert [words for words, text in said.items() if PASSWORD in text] == []


@pytest.mark.parametrize("wrong", WRONG)
def test_commands_of_one_piece_do_not_either(
    wrong: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    addressed(monkeypatch, *WRONG[wrong])
    monkeypatch.setattr(sys, "argv", ["program"])

    assert rebuild.main() != 0
    assert provision.main() != 0
    said = capfd.readouterr()

    assert "MONGO_URL" in said.err
    assert "NATS_URL" in said.err
    assert PASSWORD not in said.out + said.err


@pytest.mark.parametrize(
    ("program", "words", "says"),
    [
        (staff, ["list"], "the database at mongodb://127.0.0.1:1 (MONGO_URL) cannot be reached"),
        (audit, ["head"], "the database at mongodb://127.0.0.1:1 (MONGO_URL) cannot be reached"),
    ],
    ids=["staff", "audit"],
)
def test_a_server_that_is_away_is_named_without_its_password(
    program: typer.Typer,
    words: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    addressed(monkeypatch, "mongodb://user:{}@127.0.0.1:1/", "nats://user:{}@127.0.0.1:1")

    said = refused(program, words, capfd)

    assert says in said
    assert PASSWORD not in said


@pytest.mark.parametrize("service", ["ingest", "moderation"])
def test_a_service_refuses_a_wrong_address_in_one_sentence(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    addressed(monkeypatch, *WRONG["the port is none"])

    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 78
    assert "MONGO_URL" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
