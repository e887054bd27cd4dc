"""How often one person, network or code may ask: token buckets in memory, per process.

A bucket holds `at_once` requests and fills by `per_hour`. Replicas count each for themselves, so that a limit
never depends on a store; with n of them a stranger gets at most n times as much. `shared.http.shared_limits` has
buckets that they share.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from time import monotonic
from typing import Final

from shared.http.problems import Problem

MOST_BUCKETS: Final = 50_000
"""Full buckets are forgotten first; beyond this many, the ones longest unused."""
SECONDS_PER_HOUR: Final = 3600.0
IPV6_PREFIX: Final = 64
"""One household or handset has a whole /64; an address alone says nothing."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a bucket holds and how it fills."""

    at_once: int
    per_hour: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of an allowance, at a time in seconds."""

    left: float
    at: float


def spend(bucket: Bucket, allowance: Allowance, now: float) -> Bucket | float:
    """The bucket after one request, or the seconds until it has room for one. Pure."""
    filled = bucket.left + max(0.0, now - bucket.at) * allowance.per_hour / SECONDS_PER_HOUR
    left = min(float(allowance.at_once), filled)
    if left >= 1:
        return Bucket(left - 1, now)
    return (1 - left) * SECONDS_PER_HOUR / allowance.per_hour


def network_of(host: str | None) -> str:
    """The network to count an address under. Pure."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return host or "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def is_loopback(host: str | None) -> bool:
    """Whether the address is this machine's own. Pure."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


def too_many(what: str, wait: float) -> Problem:
    """The refusal of one request too many, which may come again after so many seconds."""
    seconds = ceil(wait)
    return Problem(
        429,
        "too_many_requests",
        f"Too many {what} for now. Nothing was changed; try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


class Limiter:
    """The buckets of one kind of request. Raises a 429 `Problem` with `Retry-After`."""

    def __init__(self, what: str, allowance: Allowance) -> None:
        self._what, self._allowance = what, allowance
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def allows(self, key: str) -> bool:
        """Count one if `key` has something left; false, and nothing counted, if it has not."""
        try:
            self.count(key)
        except Problem:
            return False
        return True

    def check(self, key: str) -> None:
        """Refuse if `key` has nothing left, without counting."""
        self._after(key)

    def count(self, key: str) -> None:
        """Refuse if `key` has nothing left, else count one."""
        self._buckets[key] = self._after(key)
        self._buckets.move_to_end(key)
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)

    def learn(self, key: str, bucket: Bucket) -> None:
        """What is left for `key` is this."""
        self._buckets[key] = bucket

    def _after(self, key: str) -> Bucket:
        now = monotonic()
        bucket = self._buckets.get(key, Bucket(self._allowance.at_once, now))
        after = spend(bucket, self._allowance, now)
        if isinstance(after, float):
            raise too_many(self._what, after)
        return after
