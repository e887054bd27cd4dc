"""What a channel's test server does wrong: by script (the next calls, in order) or by seeded chance.

`…_before` means that nothing was accepted, `…_after` that it was and the caller isn't told.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, get_args

Kind = Literal[
    "hang_before",
    "hang_after",
    "reset_before",
    "reset_after",
    "error_before",
    "error_after",
    "garbled_after",
    "late",
    "lie",
    "rate_limited",
    "refuse",
    "undeletable",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
AMBIGUOUS: Final[frozenset[Kind]] = frozenset(KINDS) - {"lie", "rate_limited", "refuse", "undeletable"}
"""After these the caller can't know from the answer what became of its call."""


@dataclass(frozen=True, slots=True)
class Fault:
    kind: Kind
    times: int = 1
    call: str | None = None
    """Only for calls of this name; absent means any that changes something."""
    seconds: float = 1.0
    """How late a late post appears, or how long a rate-limited caller is to wait."""

    @classmethod
    def read(cls, value: Mapping[str, object]) -> "Fault":
        """The fault in a control request. Raises `ValueError` for one that isn't known."""
        fault = cls(**value)  # type: ignore[arg-type]
        if fault.kind not in KINDS:
            raise ValueError(fault.kind)
        return fault


class Faults:
    """Decides for each call whether it goes wrong, the same way for the same seed and number of calls."""

    def __init__(
        self, *, seed: int = 0, rates: Mapping[Kind, float] | None = None, seconds: float = 1.0
    ) -> None:
        self.seed, self.rates, self.seconds = seed, dict(rates or {}), seconds
        self.script: list[Fault] = []
        self.calls = 0
        self.injected: Counter[str] = Counter()

    def next(self, call: str, *, changes: bool = True) -> Fault | None:
        """What goes wrong with this call, if anything. One that only asks goes wrong when it is named in the script."""
        for index, fault in enumerate(self.script):
            if fault.call == call or (changes and fault.call is None):
                left = Fault(fault.kind, fault.times - 1, fault.call, fault.seconds)
                self.script[index : index + 1] = [left] if left.times > 0 else []
                return self._injected(fault)
        if not changes:
            return None
        self.calls += 1
        chance = Random(f"{self.seed}:{self.calls}").random()
        for kind, rate in self.rates.items():
            if chance < rate:
                return self._injected(Fault(kind, seconds=self.seconds))
            chance -= rate
        return None

    def _injected(self, fault: Fault) -> Fault:
        self.injected[fault.kind] += 1
        return fault
