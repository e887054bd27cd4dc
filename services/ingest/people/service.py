"""Joining, coming back, signing in and out: who gets a token, from the API and from pages alike."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from services.ingest import telemetry
from services.ingest.people import codes
from services.ingest.people.store import People, Person
from services.ingest.problems import invalid
from services.ingest.rate_limits import RateLimits
from services.ingest.validation.rules import FormRefused, Newcomer, SubmissionRules, welcome
from shared.http.problems import Problem
from shared.identity.tokens import Epochs, Issuer, Keys, Principal, TokenClaims, verify


def volunteers_only() -> Problem:
    """The refusal of what an administrator does for people who work for the campaign."""
    return Problem(
        403,
        "volunteers_only",
        "This is for volunteers. Your account is kept by an administrator; ask there.",
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """Somebody who has just been given a token. It names a session, so that signing out ends it."""

    principal: Principal
    token: str
    recovery_code: str | None = None
    """Shown this once."""


class Sessions:
    """The way in and out. `host` is the address that a request comes from; wrong guesses count against it."""

    def __init__(
        self,
        *,
        people: People,
        issuer: Issuer,
        keys: Keys,
        epochs: Epochs,
        rules: SubmissionRules,
        limits: RateLimits,
        nudge: Callable[[str], None],
    ) -> None:
        self._people, self._issuer, self._keys, self._epochs = people, issuer, keys, epochs
        self._rules, self._limits, self._nudge = rules, limits, nudge

    async def register(self, newcomer: Newcomer) -> Opened:
        """A new volunteer. Raises 422 `registration_invalid`."""
        welcomed = welcome(newcomer, self._rules)
        if isinstance(welcomed, FormRefused):
            raise invalid(welcomed, "registration_invalid")
        person, code = await self._people.register(welcomed, datetime.now(UTC))
        self._nudge(person.person_id)
        telemetry.volunteer_registered(person.person_id, welcomed.country)
        return self._open(person, code)

    async def recover(self, code: str, host: str | None) -> Opened:
        """The volunteer whose recovery code this is, with the next one. Earlier tokens are refused from now on.

        Raises 401 `recovery_code_unknown`, and 429 after too many.
        """
        # A good code is never held up by the wrong ones of others in the same network.
        found = await self._people.recover(code)
        if found is None:
            telemetry.recovery_refused()
            await self._limits.guessed_wrong("recovery", host)
            raise Problem(
                401,
                "recovery_code_unknown",
                "This recovery code is unknown or was used before. Each use gives a new one; look for the latest.",
            )
        person, fresh = found
        self._epochs.forget(person.person_id)
        telemetry.recovered(person.person_id)
        return self._open(person, fresh)

    async def open_with_token(self, token: str, host: str | None) -> Opened:
        """A session for whoever this token speaks for; it ends no later than the token. Raises 401 and 429."""
        try:
            claims = await self._claims(token)
        except Problem:
            telemetry.sign_in_refused()
            await self._limits.guessed_wrong("sign-in", host)
            raise
        if claims.sid is not None:
            telemetry.sign_in_refused()
            raise Problem(
                401,
                "token_of_session",
                "This token belongs to a session and opens no other, so that signing out ends all there is of it. "
                "Ask an administrator for a token or a link, or use your recovery code.",
            )
        principal = replace(claims.principal, session_id=codes.new_session())
        left = timedelta(seconds=claims.exp) - timedelta(seconds=datetime.now(UTC).timestamp())
        telemetry.signed_in(principal.person_id, "token")
        return Opened(principal, self._issuer.issue(principal, now=datetime.now(UTC), lifetime=left))

    async def open_with_link(self, secret: str, host: str | None) -> Opened:
        """A session for whoever this one-time link was made for. Raises 401 `link_unknown` and 429."""
        person = await self._people.redeem(secret, datetime.now(UTC))
        if person is None:
            telemetry.sign_in_refused()
            await self._limits.guessed_wrong("sign-in", host)
            raise Problem(
                401,
                "link_unknown",
                "This link was used before or is too old. Ask an administrator for a new one.",
            )
        telemetry.signed_in(person.person_id, "link")
        return self._open(person)

    async def new_code(self, principal: Principal) -> str:
        """The next recovery code of a volunteer who is signed in; sessions go on. Raises 403 `volunteers_only`."""
        try:
            return await self._people.new_code(principal.person_id)
        except LookupError:
            raise volunteers_only() from None

    async def close(self, principal: Principal) -> None:
        """End the session: its token is refused everywhere from now on. Without a session nothing happens."""
        if principal.session_id is None:
            return
        await self._people.end_session(principal.person_id, principal.session_id, datetime.now(UTC))
        self._nudge(principal.person_id)
        self._epochs.forget(principal.person_id)
        telemetry.signed_out(principal.person_id)

    async def close_everywhere(self, principal: Principal) -> None:
        """End every session of the person on every device, and refuse every token they have, this one included."""
        await self._people.renew(principal.person_id, datetime.now(UTC))
        self._nudge(principal.person_id)
        self._epochs.forget(principal.person_id)
        telemetry.signed_out_everywhere(principal.person_id)

    async def _claims(self, token: str) -> TokenClaims:
        claims = await verify(token.strip(), self._keys)
        if await self._epochs.refuses(claims):
            raise Problem(
                401, "token_revoked", "This token has been revoked. Ask an administrator for a new one."
            )
        return claims

    def _open(self, person: Person, recovery_code: str | None = None) -> Opened:
        principal = person.principal(codes.new_session())
        return Opened(principal, self._issuer.issue(principal, now=datetime.now(UTC)), recovery_code)
