"""`python -m services.metrics`."""

import sys

import shared.runtime.lean  # noqa: F401 - imported for its effect

# isort: split

from services.metrics.app import assemble
from services.metrics.counting.garbage import collect_rarely
from services.metrics.settings import MetricsSettings
from shared.runtime.service import run
from shared.settings import METRICS

if __name__ == "__main__":
    collect_rarely()
    sys.exit(run("metrics", METRICS, MetricsSettings.from_env, assemble))
