"""`python -m services.moderation.audit.cli`: verify the audit, and export its head.

The database's account may be a reading one. `verify` prints `OK` with counts, or the first bad entry, and exits 1.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.moderation.audit.head import Head, HeadRefused
from services.moderation.audit.mark import FILE, UnsignedMark
from services.moderation.audit.verify import Verdict
from services.moderation.audit.verify import verify as verified
from services.moderation.settings import ModerationSettings
from shared.identity.key_rotation import believed
from shared.identity.tokens import key_id, public_keys
from shared.settings import SettingsError
from shared.storage.command import DatabaseRefused, database_of
from shared.storage.mongo import Database

Found = TypeVar("Found")
READ_MS = 60_000

app = typer.Typer(
    name="audit",
    help="The audit of moderation decisions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class AuditRefused(Exception):
    """What was asked for cannot be done. The text says why and how to mend it."""


@app.command()
def verify(
    against: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A head that `audit head` printed earlier."),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Moderation's key set, as /.well-known/jwks.json gave it. Without it, this home's own key.",
        ),
    ] = None,
) -> None:
    """Verify every trail, checkpoint and signature, and that an earlier head is in the chain of today."""

    async def work(database: Database, settings: ModerationSettings) -> Verdict:
        return await verified(
            database["cases"].find({}),
            database["seals"].find({}).sort("_id", 1),
            keys=_keys(settings, keys),
            mark=UnsignedMark.read(settings.keys / FILE),
            against=None if against is None else _exported(against),
        )

    verdict = _run(work)
    typer.echo(str(verdict))
    raise typer.Exit(0 if verdict.fault is None else 1)


@app.command()
def head() -> None:
    """Print the newest checkpoint, signed, for others to keep."""

    async def work(database: Database, _settings: ModerationSettings) -> Head:
        last = await database["seals"].find({}).sort("_id", -1).limit(1).to_list(1)
        if not last:
            raise AuditRefused("there is no checkpoint yet; the first comes with the first submission")
        return Head.of(last[0])

    typer.echo(json.dumps(_run(work).document()))


def _exported(path: Path) -> Head:
    try:
        return Head.parse(path.read_text(encoding="utf-8"))
    except (HeadRefused, UnicodeDecodeError) as refused:
        raise AuditRefused(f"{path} holds no exported head: {refused}") from None


def _keys(settings: ModerationSettings, given: Path | None) -> Mapping[str, Ed25519PublicKey]:
    if given is not None:
        try:
            found = public_keys(json.loads(given.read_text(encoding="utf-8")))
        except (AttributeError, RecursionError, TypeError, ValueError):
            found = {}
        if not found:
            raise AuditRefused(
                f"{given} holds no key set; save what /.well-known/jwks.json of moderation answers"
            )
        return found
    if not settings.decision_key.exists():
        raise AuditRefused(
            f"there is no key in {settings.keys}; name the running home with KONULLU_HOME, or give --keys"
        )
    return {key_id(each): each for each in believed(settings.decision_key)}


def _run(work: Callable[[Database, ModerationSettings], Awaitable[Found]]) -> Found:
    """Do the work against the database. Ends the process with a sentence when that is not possible."""

    async def connected(settings: ModerationSettings) -> Found:
        async with database_of(settings, app="konullu-audit", timeout_ms=READ_MS) as client:
            return await work(client[f"{settings.database_prefix}moderation"], settings)

    try:
        return asyncio.run(connected(ModerationSettings.from_env()))
    except (AuditRefused, DatabaseRefused, HeadRefused, SettingsError, ValueError) as error:
        raise SystemExit(f"audit: {error}") from None


if __name__ == "__main__":
    sys.exit(app())
