"""The staff token that commands use when none is given: whoever can write the stack's database may read its figures."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from deploy.cli.stack import CommandError, Stack
from deploy.supervisor.layout import ROOT

KEPT = "keys/operator.token"
NAME = "konullu command"
_MARGIN = 60
"""Seconds before its end at which a token is renewed."""


def operator_token(stack: Stack) -> str:
    """A valid token of the operator that this home's commands act as. Raises `CommandError` when none can be had."""
    kept = stack.settings.home / KEPT
    if kept.is_file():
        token = kept.read_text().strip()
        claims = _claims(token)
        if claims.get("exp", 0) > time.time() + _MARGIN:
            return token
        return _keep(kept, _staff(stack, "token", str(claims.get("sub", ""))))
    return _keep(kept, _staff(stack, "add", "--role", "operator", "--name", NAME))


def _staff(stack: Stack, *arguments: str) -> str:
    made = subprocess.run(
        [sys.executable, "-m", "services.ingest.people.cli", *arguments],
        env=stack.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        text = (
            f"no operator's token could be made: {made.stderr.strip()}. "
            f"Give one with --token or KONULLU_TOKEN, or remove {stack.settings.home / KEPT} to start afresh"
        )
        raise CommandError(text)
    return made.stdout.strip()


def _keep(kept: Path, token: str) -> str:
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept.touch(mode=0o600)
    kept.write_text(token)
    return token


def _claims(token: str) -> dict[str, Any]:
    """What a token says of itself; only services check it."""
    try:
        middle = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims
