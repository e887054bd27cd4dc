"""The vocabulary of the safety pass."""

import structlog

log = structlog.get_logger()


def copy_not_clean(found: list[str]) -> None:
    """A copy that was called clean holds more than is seen and heard; it was not taken."""
    log.error("media_copy_not_clean", found=found)
