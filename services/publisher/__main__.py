"""`python -m services.publisher`."""

import sys

import shared.runtime.lean  # noqa: F401 - imported for its effect

# isort: split

from services.publisher.app import assemble
from services.publisher.settings import PublisherSettings
from shared.runtime.service import run
from shared.settings import PUBLISHER

if __name__ == "__main__":
    sys.exit(run("publisher", PUBLISHER, PublisherSettings.from_env, assemble))
