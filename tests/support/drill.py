"""How far a test goes: far enough in every run, all the way in `make drill`."""

import os
from typing import Final, TypeVar

T = TypeVar("T")
DRILL: Final = bool(os.environ.get("KONULLU_DRILL"))


def usually(less: T, *, drill: T) -> T:
    """The smaller figure in an ordinary run, the larger one in `make drill`."""
    return drill if DRILL else less
