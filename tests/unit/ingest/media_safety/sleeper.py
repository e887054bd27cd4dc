"""A worker that tells its process id in the copy, and then never ends by itself."""

import os
import time
from typing import BinaryIO, NoReturn
from unittest.mock import patch

from services.ingest.media_safety import worker as safety_worker


def sleep(_source: BinaryIO, target: BinaryIO, *_: object) -> NoReturn:
    target.write(str(os.getpid()).encode())
    target.flush()
    while True:
        time.sleep(1)


def main(arguments: list[str]) -> int:
    with patch.object(safety_worker, "examine", sleep):
        return safety_worker.main(arguments)
