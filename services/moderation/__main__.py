"""`python -m services.moderation`."""

import sys

from services.moderation.app import assemble
from services.moderation.settings import ModerationSettings
from shared.runtime.service import run
from shared.settings import MODERATION

sys.exit(run("moderation", MODERATION, ModerationSettings.from_env, assemble))
