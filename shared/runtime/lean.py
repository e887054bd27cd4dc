"""Keeps out of a service's memory what libraries load only because it is installed: 12 MB and 0.3 s for each process.

aiohttp is nats-py's way through WebSockets; rich, with pygments, draws structlog's coloured tracebacks; greenlet is for
structlog's thread-locals. Each library asks for them in a `try`. A service's `__main__` imports this before anything else.
"""

import sys
from typing import Final

KEPT_OUT: Final = ("aiohttp", "greenlet", "rich")

for _name in KEPT_OUT:
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]  # what the import system takes for "not to be found"
