"""The brokers' users: a key pair for each (nkeys), and the part of the configuration that says what each may do.

A broker knows public keys alone and has the user sign a challenge; the seed, which stays with the user, never travels.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import nkeys

from shared.bus.rights import USERS, rights_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUFFIX = ".nk"
ANSWER_SECONDS = 10
"""How long a user may take to answer the challenge; a busy machine needs more than the broker's own two."""


def seed_file(folder: Path, user: str) -> Path:
    """Where a user's seed lies: what `NATS_CREDENTIALS` names."""
    return folder / f"{user}{SUFFIX}"


def public_keys(folder: Path, mode: int = 0o600) -> dict[str, str]:
    """The public key of every user, whose seed lies in `folder`; made there, with `mode`, where it is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {user: _public_key(seed_file(folder, user), mode) for user in USERS}


def _public_key(path: Path, mode: int) -> str:
    if not path.exists():
        fresh = path.with_name(f".{path.name}.new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
        fresh.chmod(mode)
        fresh.replace(path)
    pair = nkeys.from_seed(bytearray(path.read_bytes().strip()))
    return bytes(pair.public_key).decode()


def configuration(keys: Mapping[str, str]) -> str:
    """What the brokers' files include: the users by their public keys, each with its rights and no other."""
    lines = [
        "# Made from shared/bus/rights.py, anew at every start: don't edit.",
        "authorization {",
        f"  timeout: {ANSWER_SECONDS}",
        "  users: [",
    ]
    for user, key in keys.items():
        rights = rights_of(user)
        lines += [
            f"    # {user}",
            f"    {{nkey: {key}, permissions: {{",
            f"      publish: {{allow: {_listed(rights.publish)}}}",
            f"      subscribe: {{allow: {_listed(rights.subscribe)}}}",
            "    }}",
        ]
    return "\n".join([*lines, "  ]", "}", ""])


def _listed(subjects: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in subjects) + "]"
