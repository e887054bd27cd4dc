"""`python -m services.moderation`."""

import sys

import shared.runtime.lean  # noqa: F401 - imported for its effect

# isort: split

from services.moderation.app import assemble
from services.moderation.settings import ModerationSettings
from shared.runtime.service import run
from shared.settings import MODERATION

if __name__ == "__main__":
    sys.exit(run("moderation", MODERATION, ModerationSettings.from_env, assemble))
