"""A container's health check: `python -m deploy.container.healthy` asks every service that this container may be."""

import os
import sys
from urllib.error import URLError
from urllib.request import urlopen

OFFSETS = {"ingest": 1, "moderation": 2, "publisher": 3, "metrics": 4}


def main(names: list[str]) -> int:
    """Exit 0 when the named services (or any one, without names) are ready on this machine."""
    base = int(os.environ.get("KONULLU_PORT_BASE", "8400"))
    answers = [_ready(f"http://127.0.0.1:{base + OFFSETS[name]}/readyz") for name in names or OFFSETS]
    return 0 if (all(answers) if names else any(answers)) else 1


def _ready(url: str) -> bool:
    try:
        with urlopen(url, timeout=3) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)  # noqa: PLR2004
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
