"""Makes the secrets of a deployment that are missing: `make secrets`, or `python -m deploy.container.secrets [folder]`.

Existing ones stay. Every service gets a password of its own on the database and a key of its own on the broker, and may do
there only what it must. The brokers get certificates by an authority of the deployment's own.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.container import storage
from deploy.nats import authority, users
from shared.bus.rights import SERVICES

FOLDER = Path(__file__).parent.parent / "secrets"
BROKERS = ("nats-1", "nats-2", "nats-3")
DATABASES = ("mongo-1:27017", "mongo-2:27017", "mongo-3:27017")
NEEDED = ("root", "mongo_key", *SERVICES, *(f"storage_{name}" for name in storage.MAY))
"""What has a password, by the name that it is kept under."""
ANEW = frozenset({"nats_users.conf"})
"""What follows from the repository is written anew each time: a new version may give other rights."""
READABLE = 0o644
"""Containers read them as other users; the folder keeps everybody else out."""


def main(folder: Path, *names: str) -> int:
    """`names` are further ones by which the brokers are reached, beside their own."""
    folder.mkdir(mode=0o700, exist_ok=True)
    passwords = _kept(folder / "passwords.json")
    made = files(passwords, users.public_keys(folder, READABLE))
    for name, text in made.items():
        path = folder / name
        if not path.exists() or (name in ANEW and path.read_text() != text):
            path.write_text(text)
            path.chmod(READABLE)
            print(f"made {path}")
    authority.certificates(folder, BROKERS, (*BROKERS, *names), READABLE)
    return 0


def _kept(path: Path) -> dict[str, str]:
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    for name in NEEDED:
        kept.setdefault(name, secrets.token_hex(32))
    path.touch(mode=0o600)
    path.write_text(json.dumps(kept, indent=1))
    return kept


def files(passwords: Mapping[str, str], broker_users: Mapping[str, str]) -> dict[str, str]:
    """The content of every secret file but the users' seeds, by name."""
    made = {
        "mongo_root": passwords["root"],
        "mongo_key": passwords["mongo_key"],
        "mongo_users.json": json.dumps({name: passwords[name] for name in SERVICES}),
        "nats_users.conf": users.configuration(broker_users),
        "channels.env": "# What the campaign file calls env:NAME, one NAME=value a line. Only the publisher is given it.\n",
        "storage_identities.json": storage.identities(passwords),
    }
    made |= {f"storage_{name}": passwords[f"storage_{name}"] for name in storage.MAY}
    for name in SERVICES:
        made[f"mongo_url_{name}"] = (
            f"mongodb://{name}:{passwords[name]}@{','.join(DATABASES)}/?replicaSet=konullu&authSource=admin"
        )
    return made


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, *sys.argv[2:]))
