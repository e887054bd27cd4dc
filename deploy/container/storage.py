"""Who may do what in the object store of a deployment: one identity for each service that needs one, none for others."""

import json
from collections.abc import Mapping
from typing import Final

QUARANTINE, CLEAN, SITE = "quarantine/", "clean/", "site/"
"""As in `shared/storage/media.py`, which needs packages; secrets are made before there are any."""
BUCKET: Final = "konullu"
READ, WRITE, LIST = "Read", "Write", "List"
"""As the store calls them. Writing includes replacing and removing."""
MAY: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "ingest": {QUARANTINE: (READ, WRITE, LIST), CLEAN: (READ, WRITE)},
    "moderation": {CLEAN: (READ,)},
    "publisher": {CLEAN: (READ,), SITE: (READ, WRITE, LIST)},
}
"""What each service does below each prefix. Originals are ingest's alone, and the public site only the publisher's."""
ANYBODY: Final[Mapping[str, tuple[str, ...]]] = {SITE: (READ,)}
"""The gateway, which has no identity: it shows what everybody may see."""


def identities(passwords: Mapping[str, str]) -> str:
    """The store's configuration. `passwords` holds `storage_<name>` for each name in `MAY`."""
    known = [
        {
            "name": name,
            "credentials": [{"accessKey": name, "secretKey": passwords[f"storage_{name}"]}],
            "actions": _actions(prefixes),
        }
        for name, prefixes in MAY.items()
    ]
    return json.dumps({"identities": [*known, {"name": "anonymous", "actions": _actions(ANYBODY)}]}, indent=1)


def _actions(prefixes: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [f"{action}:{BUCKET}/{prefix}*" for prefix, actions in prefixes.items() for action in actions]
