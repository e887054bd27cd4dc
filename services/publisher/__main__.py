"""`python -m services.publisher`."""

import sys

from services.publisher.app import assemble
from services.publisher.settings import PublisherSettings
from shared.runtime.service import run
from shared.settings import PUBLISHER

sys.exit(run("publisher", PUBLISHER, PublisherSettings.from_env, assemble))
