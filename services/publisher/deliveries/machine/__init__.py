"""The delivery machine, pure: a delivery, what happened to it, and what it is afterwards.

    planned → sending → posted | rejected | unknown | planned (provably not sent)
    planned → cancelled | rejected (refused in preparation) | needs_human (never got through)
    unknown → reconciling → posted | planned | cancelled | removing | needs_human
    needs_human → posted | planned | cancelled | removed
    posted → unknown (a read-back found nothing) | removing → removed | residue | needs_human
    residue → removed (a person took it away)
    cancelled → planned (approved again before anything was sent)
    removed → planned (made way for another revision, and is approved again)

What a channel did not answer is never sent again blindly: it goes through `reconciling`, and, where nobody
can look and a repetition would show, to a person. `advance` gives back the new delivery or a refusal; it never
raises and keeps no clock and no random numbers of its own.
"""

from datetime import datetime

from services.publisher.deliveries.machine import looking, removing, sending
from services.publisher.deliveries.model import Delivery, Refused, Rules
from services.publisher.deliveries.triggers import (
    Answered,
    Approved,
    Awaited,
    CannotLook,
    Checked,
    Claimed,
    Happening,
    LeaseLost,
    Looked,
    PrepareFailed,
    Released,
    RemovalAnswered,
    Replaced,
    Resolved,
    Retired,
    SendStarted,
)


def advance(delivery: Delivery, happening: Happening, now: datetime, rules: Rules) -> Delivery | Refused:  # noqa: C901, PLR0911, PLR0912 - one line per happening, the machine's table of contents
    """The delivery after `happening`, or why it does not apply."""
    match happening:
        case Claimed():
            return sending.claimed(delivery, happening, now)
        case PrepareFailed():
            return sending.prepare_failed(delivery, happening, now, rules)
        case SendStarted():
            return sending.send_started(delivery, happening, now)
        case Answered():
            return sending.answered(delivery, happening, now, rules)
        case LeaseLost():
            return sending.lease_lost(delivery, happening, now)
        case Looked():
            return looking.looked(delivery, happening, now, rules)
        case CannotLook():
            return looking.cannot_look(delivery, happening, now, rules)
        case Checked():
            return looking.checked(delivery, happening.found, now, rules)
        case RemovalAnswered():
            return removing.removal_answered(delivery, happening, now, rules)
        case Retired():
            return removing.retired(delivery, happening.reason, now)
        case Approved():
            return sending.approved(delivery, happening, now)
        case Resolved():
            return looking.resolved(delivery, happening, now, rules)
        case Replaced():
            return removing.replaced(delivery, happening)
        case Awaited():
            return removing.awaited(delivery)
        case Released():
            return removing.released(delivery, now)
