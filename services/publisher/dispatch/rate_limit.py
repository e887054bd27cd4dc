"""When the next call may leave on a channel's account. Pure.

All processes share an account: its calls are spaced so that no second holds more of them than the channel allows, and
what the channel asked to wait is waited by all of them.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Account:
    """What all processes must agree on about one channel's account."""

    channel: str
    version: int = 0
    next_at: datetime | None = None
    """When the next call may leave, for channels with a rate."""
    paused_until: datetime | None = None
    reason: str = ""
    """Why it is paused, for people."""
    troubles: int = 0
    """Pauses in a row."""


@dataclass(frozen=True, slots=True)
class RateWait:
    """Not now: the rate is used up, or the channel is paused."""

    until: datetime


def take_turn(account: Account, now: datetime, *, rate: float | None) -> Account | RateWait:
    """The account after one call has left; the same one when nothing is counted. `rate` is in calls a second."""
    if account.paused_until is not None and now < account.paused_until:
        return RateWait(account.paused_until)
    if rate is None:
        return account
    if account.next_at is not None and now < account.next_at:
        return RateWait(account.next_at)
    return replace(account, next_at=now + timedelta(seconds=1 / rate))


def pause(account: Account, until: datetime, reason: str) -> Account:
    """The account with no call before `until`; a longer pause stays."""
    longer = until if account.paused_until is None else max(until, account.paused_until)
    return replace(account, paused_until=longer, reason=reason, troubles=account.troubles + 1)


def went_well(account: Account) -> Account:
    """The account after a call that the channel took."""
    if account.paused_until is None and not account.troubles:
        return account
    return replace(account, paused_until=None, reason="", troubles=0)
