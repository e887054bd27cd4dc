"""`python -m services.ingest`: one ingest process."""

import sys

import shared.runtime.lean  # noqa: F401 - imported for its effect

# isort: split

from services.ingest.app import assemble
from services.ingest.settings import IngestSettings
from shared.identity.key_rotation import believed
from shared.identity.tokens import OwnKeys
from shared.runtime.service import run
from shared.settings import INGEST, Settings


def own_keys(settings: Settings) -> OwnKeys:
    """Ingest checks tokens by the key that signs them."""
    return OwnKeys(*believed(IngestSettings.of(settings).token_key))


if __name__ == "__main__":
    sys.exit(run("ingest", INGEST, IngestSettings.from_env, assemble, keys=own_keys))
