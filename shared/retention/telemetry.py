"""What is said of data that is taken away: never the data."""

import structlog
from prometheus_client import Counter

from shared.retention.model import Ending

log = structlog.get_logger()

_ERASED = Counter("konullu_data_erased_total", "Documents whose texts were taken away.", ["kind", "ending"])


def erased(kind: str, document_id: str, ending: Ending) -> None:
    """The texts of a document are gone."""
    _ERASED.labels(kind, ending).inc()
    log.info("data_erased", kind=kind, id=document_id, ending=ending)
