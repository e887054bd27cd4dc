"""`python -m services.metrics`."""

import sys

from services.metrics.app import assemble
from services.metrics.counting.garbage import collect_rarely
from services.metrics.settings import MetricsSettings
from shared.runtime.service import run
from shared.settings import METRICS

collect_rarely()
sys.exit(run("metrics", METRICS, MetricsSettings.from_env, assemble))
