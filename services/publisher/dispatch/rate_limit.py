"""Whose turn it is on a channel's account, and when the next call may leave. Pure.

One holder at a time commits on an account, however many processes there are; its calls are spaced so that no second
holds more of them than the channel allows; what the channel asked to wait is waited.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Account:
    """What all processes must agree on about one channel's account."""

    channel: str
    version: int = 0
    holder: str | None = None
    held_until: datetime | None = None
    next_at: datetime | None = None
    """When the next call may leave, for channels with a rate."""
    paused_until: datetime | None = None
    reason: str = ""
    """Why it is paused, for people."""
    troubles: int = 0
    """Pauses in a row."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: somebody else has the turn, the rate is used up, or the channel is paused."""

    until: datetime


def take_turn(
    account: Account, holder: str, now: datetime, *, rate: float | None, hold: timedelta, call: timedelta
) -> Account | Wait:
    """The account with the turn taken by `holder` for one call of at most `call`; the same one when it has it.

    `rate` is in calls a second, `hold` is how long a turn lasts.
    """
    if account.paused_until is not None and now < account.paused_until:
        return Wait(account.paused_until)
    if account.held_until is not None and account.holder != holder and now < account.held_until:
        return Wait(account.held_until)
    if rate is not None and account.next_at is not None and now < account.next_at:
        return Wait(account.next_at)
    if rate is not None:
        account = replace(account, next_at=now + timedelta(seconds=1 / rate))
    if account.holder == holder and account.held_until is not None and account.held_until - now >= call:
        return account
    return replace(account, holder=holder, held_until=now + hold)


def give_back(account: Account, holder: str) -> Account:
    """The account with nobody's turn, if it was `holder`'s."""
    return replace(account, holder=None, held_until=None) if account.holder == holder else account


def pause(account: Account, until: datetime, reason: str) -> Account:
    """The account with no call before `until`; a longer pause stays."""
    longer = until if account.paused_until is None else max(until, account.paused_until)
    return replace(account, paused_until=longer, reason=reason, troubles=account.troubles + 1)


def went_well(account: Account) -> Account:
    """The account after a call that the channel took."""
    if account.paused_until is None and not account.troubles:
        return account
    return replace(account, paused_until=None, reason="", troubles=0)
