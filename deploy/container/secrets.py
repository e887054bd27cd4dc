"""Makes the secrets of a deployment that are missing: `python -m deploy.container.secrets [folder]`. Existing ones stay.

Every service gets a password of its own, on the database and on the broker, and may do there only what it must.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.container import storage

FOLDER = Path(__file__).parent.parent / "secrets"
SERVICES = ("ingest", "moderation", "publisher", "metrics")
BROKERS = ("nats-1:4222", "nats-2:4222", "nats-3:4222")
DATABASES = ("mongo-1:27017", "mongo-2:27017", "mongo-3:27017")
NEEDED = ("root", "mongo_key", "provision", *SERVICES, *(f"storage_{name}" for name in storage.MAY))
"""What has a password, by the name that it is kept under."""
MAY_PUBLISH = {
    "ingest": ("people.>", "submissions.>", "surveys.>"),
    "moderation": ("moderation.>",),
    "publisher": ("publishing.>", "reach.sampled.v1"),
    "metrics": ("reach.clicked.v1", "reach.totalled.v1"),
}
"""Only moderation may publish decisions: access to the broker alone approves nothing."""
JETSTREAM = (
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.CONSUMER.INFO.*.*",
    "$JS.API.CONSUMER.MSG.NEXT.*.*",
    "$JS.ACK.>",
)
"""What a consumer needs; creating, changing and deleting streams stays with the provisioner."""


def main(folder: Path) -> int:
    folder.mkdir(mode=0o700, exist_ok=True)
    passwords = _kept(folder / "passwords.json")
    for name, text in files(passwords).items():
        path = folder / name
        if not path.exists():
            # Containers read them as other users; the folder keeps everybody else out.
            path.write_text(text)
            path.chmod(0o644)
            print(f"made {path}")
    return 0


def _kept(path: Path) -> dict[str, str]:
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    for name in NEEDED:
        kept.setdefault(name, secrets.token_hex(32))
    path.touch(mode=0o600)
    path.write_text(json.dumps(kept, indent=1))
    return kept


def files(passwords: Mapping[str, str]) -> dict[str, str]:
    """The content of every secret file, by name."""
    made = {
        "mongo_root": passwords["root"],
        "mongo_key": passwords["mongo_key"],
        "mongo_users.json": json.dumps({name: passwords[name] for name in SERVICES}),
        "nats_users.conf": _users(passwords),
        "nats_url_provision": _broker("provision", passwords),
        "channels.env": "# What the campaign file calls env:NAME, one NAME=value a line. Only the publisher is given it.\n",
        "storage_identities.json": storage.identities(passwords),
    }
    made |= {f"storage_{name}": passwords[f"storage_{name}"] for name in storage.MAY}
    for name in SERVICES:
        made[f"nats_url_{name}"] = _broker(name, passwords)
        made[f"mongo_url_{name}"] = (
            f"mongodb://{name}:{passwords[name]}@{','.join(DATABASES)}/?replicaSet=konullu&authSource=admin"
        )
    return made


def _broker(user: str, passwords: Mapping[str, str]) -> str:
    return ",".join(f"nats://{user}:{passwords[user]}@{broker}" for broker in BROKERS)


def _users(passwords: Mapping[str, str]) -> str:
    lines = ["authorization {", "  users: ["]
    lines.append(f'    {{user: provision, password: "{passwords["provision"]}"}}')
    for name in SERVICES:
        allowed = (*MAY_PUBLISH[name], "dead.>", *JETSTREAM)
        subjects = ", ".join(f'"{subject}"' for subject in allowed)
        lines.append(f'    {{user: {name}, password: "{passwords[name]}", permissions: {{')
        lines.append(f'      publish: {{allow: [{subjects}]}}, subscribe: {{allow: ["_INBOX.>"]}}}}}}')
    return "\n".join([*lines, "  ]", "}", ""])


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
