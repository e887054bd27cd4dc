"""Who is asking: tokens, roles, scopes, revocation, sessions.

Ingest issues Ed25519 JWTs; every service verifies them with ingest's public keys, which are cached on disk so that a
service starts without ingest. A token carries role, scopes and the person's epoch; a token below the person's current
epoch, of a disabled person, or of an ended session is refused within `FRESH_SECONDS` of the service knowing it.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, time
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.concurrency.single_flight import SingleFlight
from shared.events import Role, Scopes, StaffChanged
from shared.http.origin import is_from_another_site
from shared.http.problems import Problem
from shared.storage.mongo import Collection
from shared.text.language_ranges import in_ranges

ISSUER: Final = "konullu"
COOKIE: Final = "__Host-konullu"
VOLUNTEER_TOKEN: Final = timedelta(days=30)
STAFF_TOKEN: Final = timedelta(hours=12)
IDLE: Final = timedelta(minutes=30)
"""A staff session ends this long after the last that was done in it: its cookie by itself, its token at the services."""
RENEWAL: Final = "X-Renewal"
"""The header of a page that renews itself: nobody did anything."""
FRESH_SECONDS: Final = 1.0
SIGNATURE_SECONDS: Final = 60.0
"""For how long a token's good signature is remembered: a key that is taken away counts at most this much longer."""
MOST_REMEMBERED: Final = 10_000
"""Tokens with a remembered signature, and people with a remembered epoch; a bound on memory, nothing depends on it."""
STAFF: Final[tuple[Role, ...]] = tuple(role for role in get_args(Role) if role != "volunteer")
IMPLIED: Final[Mapping[str, tuple[str, ...]]] = {"admin": STAFF, "editor": ("moderator",)}
"""Roles whose rights include those of others."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated person. Pseudonymous: names stay in ingest."""

    person_id: str
    role: Role
    scopes: Scopes = field(default_factory=Scopes)
    epoch: int = 0
    session_id: str | None = None

    def has(self, *roles: Role) -> bool:
        """Whether the person has one of the roles, itself or implied."""
        return self.role in roles or any(role in IMPLIED.get(self.role, ()) for role in roles)

    @property
    def is_staff(self) -> bool:
        """Any role but volunteer."""
        return self.role != "volunteer"

    @property
    def sees_all(self) -> bool:
        """Whether the person has no scope, which says all."""
        return self.scopes == Scopes()

    def may_see(
        self, *, country: str | None = None, language: str | None = None, section: str | None = None
    ) -> bool:
        """Whether something with these attributes lies within the person's scopes. No scope given: all."""
        languages = self.scopes.languages
        if languages and (language is None or not in_ranges(language, languages)):
            return False
        return all(
            not allowed or value in allowed
            for allowed, value in ((self.scopes.countries, country), (self.scopes.sections, section))
        )


class TokenClaims(BaseModel):
    """A token's claims."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: Literal["konullu"]
    sub: str
    role: Role
    scopes: Scopes = Scopes()
    epoch: int = 0
    sid: str | None = None
    iat: int
    exp: int

    @property
    def principal(self) -> Principal:
        """The person the token speaks for."""
        return Principal(self.sub, self.role, self.scopes, self.epoch, self.sid)


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The private key at `path` (PEM, mode 0600), made there if there is none yet."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link fails where a rename would replace a key that another process has made in the meantime.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        text = f"{path} holds no Ed25519 key; remove it to have one made, or put the right one there"
        raise TypeError(text)
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """A key's id: the first 16 characters of its thumbprint."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).decode()[:16]


def jwks(*keys: Ed25519PublicKey) -> dict[str, Any]:
    """The JSON Web Key Set of some public keys (RFC 8037)."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": key_id(key),
                "x": base64.urlsafe_b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
                .decode()
                .rstrip("="),
            }
            for key in keys
        ]
    }


def public_keys(document: Mapping[str, Any]) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a JSON Web Key Set by their ids; others are left out."""
    return {
        str(entry["kid"]): Ed25519PublicKey.from_public_bytes(
            base64.urlsafe_b64decode(str(entry["x"]) + "=" * (-len(str(entry["x"])) % 4))
        )
        for entry in document.get("keys", [])
        if entry.get("crv") == "Ed25519" and "kid" in entry and "x" in entry
    }


class Keys(Protocol):
    """Where public keys come from."""

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key with this id, if there is one. Raises `Unavailable` when that cannot be known now."""


class OwnKeys:
    """The keys of the process itself."""

    def __init__(self, *keys: Ed25519PublicKey) -> None:
        self._keys = {key_id(key): key for key in keys}

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """See `Keys`."""
        return self._keys.get(kid)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Issues tokens. Ingest alone has one."""

    key: Ed25519PrivateKey

    def issue(self, principal: Principal, *, now: datetime, lifetime: timedelta | None = None) -> str:
        """A token for this person: 30 days for volunteers, 12 hours for staff, unless said otherwise."""
        default = STAFF_TOKEN if principal.is_staff else VOLUNTEER_TOKEN
        claims = TokenClaims(
            iss="konullu",
            sub=principal.person_id,
            role=principal.role,
            scopes=principal.scopes,
            epoch=principal.epoch,
            sid=principal.session_id,
            iat=int(now.timestamp()),
            exp=int((now + (lifetime or default)).timestamp()),
        )
        return jwt.encode(
            claims.model_dump(mode="json", exclude_none=True),
            self.key,
            algorithm="EdDSA",
            headers={"kid": key_id(self.key.public_key())},
        )


async def verify(token: str, keys: Keys) -> TokenClaims:
    """The claims of a token. Raises a 401 `Problem`: `token_invalid` or `token_expired`."""
    try:
        kid = jwt.get_unverified_header(token).get("kid", "")
        key = await keys.find(str(kid))
        if key is None:
            raise _refused("token_invalid", "This token was not issued by this campaign. Sign in again.")
        return TokenClaims.model_validate(
            jwt.decode(
                token, key, algorithms=["EdDSA"], issuer=ISSUER, options={"require": ["exp", "iat", "sub"]}
            )
        )
    except jwt.ExpiredSignatureError:
        raise _refused(
            "token_expired", "This token has expired. Sign in again, or use your recovery code."
        ) from None
    except (jwt.InvalidTokenError, ValidationError, ValueError):
        raise _refused(
            "token_invalid", "This token is not valid. Sign in again, or use your recovery code."
        ) from None


def _refused(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, headers={"WWW-Authenticate": f'Bearer error="{code}"'})


class _Standing(NamedTuple):
    """What the store said of a person, and when."""

    read_at: float
    epoch: int
    active: bool
    ended: frozenset[str]


class Epochs:
    """Since when a person's tokens count: a read model of `people.staff_changed`, or ingest's own people."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._seen: dict[str, _Standing] = {}
        self._reading: SingleFlight[str, _Standing] = SingleFlight()
        self._changes = 0

    async def apply(self, event: StaffChanged) -> None:
        """Take in a change; older versions than the known one change nothing."""
        await self._collection.update_one(
            {"_id": event.subject_id}, {"$setOnInsert": {"version": 0}}, upsert=True
        )
        await self._collection.update_one(
            {"_id": event.subject_id, "version": {"$lt": event.version}},
            {
                "$set": {
                    "version": event.version,
                    "epoch": event.token_epoch,
                    "active": event.active,
                    "ended_sessions": list(event.ended_sessions),
                }
            },
        )
        self.forget(event.subject_id)

    def forget(self, person_id: str) -> None:
        """Ask the store at the next check."""
        self._seen.pop(person_id, None)
        self._reading.forget(person_id)
        self._changes += 1

    async def refuses(self, claims: TokenClaims) -> bool:
        """Whether the token counts no more. At most `FRESH_SECONDS` behind the store."""
        known = self._seen.get(claims.sub)
        if known is None or monotonic() - known.read_at > FRESH_SECONDS:
            # One person's many connections, whose knowledge ages at the same moment, ask once.
            known = await self._reading.get(claims.sub, lambda: self._read(claims.sub))
        ended = claims.sid is not None and claims.sid in known.ended
        return claims.epoch < known.epoch or not known.active or ended

    async def _read(self, person_id: str) -> _Standing:
        began, changes = monotonic(), self._changes
        wanted = {"epoch": 1, "active": 1, "ended_sessions": 1}
        found = await self._collection.find_one({"_id": person_id}, wanted) or {}
        known = _Standing(
            began,
            int(found.get("epoch", 0)),
            bool(found.get("active", True)),
            frozenset(found.get("ended_sessions", ())),
        )
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        # What was read while a change came in may be from before it, and must not be remembered.
        if changes == self._changes:
            self._seen[person_id] = known
        return known


class LiveSessions(Protocol):
    """Knows which sessions go on."""

    async def over(self, claims: TokenClaims, token: str, *, used: bool) -> bool:
        """Whether the session that a good token belongs to has ended; `used` counts as something done in it.

        Raises `Unavailable` when that cannot be known now.
        """


def csrf_token(cookie: str) -> str:
    """The token that a form of this session carries; derived, so that nothing needs storing."""
    digest = hashlib.sha256(b"konullu form\0" + cookie.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def set_session(response: Response, token: str, principal: Principal) -> None:
    """Give the browser the session, or prolong it: staff until 30 minutes idle, volunteers for the token's life."""
    lifetime = IDLE if principal.is_staff else VOLUNTEER_TOKEN
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="strict",
    )


def end_session(response: Response) -> None:
    """Take the session away from the browser."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Finds out who is asking, by bearer token or session cookie. Its methods are FastAPI dependencies."""

    def __init__(self, keys: Keys, epochs: Epochs, sessions: LiveSessions | None = None) -> None:
        self._keys, self._epochs, self._sessions = keys, epochs, sessions
        self._verified: dict[str, tuple[float, TokenClaims]] = {}

    async def optional(self, request: Request) -> Principal | None:
        """The person asking, or nobody. A bad token is still refused."""
        if "authorization" not in request.headers and COOKIE not in request.cookies:
            return None
        return await self.any(request)

    async def any(self, request: Request) -> Principal:
        """Anybody registered. Raises 401 (`token_…`) and, with a session, 403 (`csrf`).

        Nothing of the body is read before the token is known to be good.
        """
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        cookie = request.cookies.get(COOKIE)
        if scheme.lower() == "bearer" and bearer:
            token, session = bearer.strip(), None
        elif cookie:
            token = session = cookie
        else:
            raise _refused(
                "token_missing",
                "Sign in first: send `Authorization: Bearer <token>`, or open the sign-in page.",
            )
        claims = await self._claims(token)
        if await self._epochs.refuses(claims):
            raise _refused("token_revoked", "This token has been revoked. Sign in again.")
        await self._expect_live(claims, token, used=RENEWAL not in request.headers)
        if session is not None:
            await _check_same_site(request, session)
        principal = claims.principal
        request.state.principal = principal
        return principal

    async def _expect_live(self, claims: TokenClaims, token: str, *, used: bool) -> None:
        """Refuse a session in which nothing was done for too long. Raises 401 `session_idle`."""
        if (
            self._sessions is not None
            and claims.sid is not None
            and await self._sessions.over(claims, token, used=used)
        ):
            raise _refused(
                "session_idle", "Nothing was done for a while, so this session ended. Sign in again."
            )

    async def _claims(self, token: str) -> TokenClaims:
        """As `verify`; a signature seen to be good is not checked again for a while, the expiry always is."""
        now = monotonic()
        seen_at, claims = self._verified.get(token, (float("-inf"), None))
        if claims is not None and now - seen_at < SIGNATURE_SECONDS and claims.exp > time():
            return claims
        claims = await verify(token, self._keys)
        if len(self._verified) >= MOST_REMEMBERED:
            self._verified.clear()
        self._verified[token] = (now, claims)
        return claims

    def require(self, *roles: Role) -> "Required":
        """A dependency for people with one of these roles (or one that implies it). Others get 403 `forbidden`."""
        return Required(self, roles)

    @property
    def staff(self) -> "Required":
        """Any role but volunteer."""
        return self.require(*STAFF)


@dataclass(frozen=True, slots=True)
class Required:
    """A FastAPI dependency that lets only people with one of these roles through."""

    guard: Guard
    roles: tuple[Role, ...]

    async def __call__(self, request: Request) -> Principal:
        """The person asking. Raises what `Guard.any` raises, and 403 `forbidden`."""
        principal = await self.guard.any(request)
        if not principal.has(*self.roles):
            wanted = " or ".join(self.roles)
            raise Problem(
                403,
                "forbidden",
                f"This needs the role {wanted}; yours is {principal.role}. Ask an administrator.",
            )
        return principal


async def _check_same_site(request: Request, cookie: str) -> None:
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get("x-csrf-token")
    # Forms are sent to pages; what scripts call has no field, and nobody's form is read for one.
    is_page = not request.url.path.startswith("/v1/")
    if (
        given is None
        and is_page
        and request.headers.get("content-type", "").split(";")[0]
        in {
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        }
    ):
        field_ = (await request.form()).get("csrf")
        given = field_ if isinstance(field_, str) else None
    ours = given is not None and hmac.compare_digest(given.encode(), csrf_token(cookie).encode())
    if is_from_another_site(request) or not ours:
        raise Problem(
            403,
            "csrf",
            "This form is out of date or was sent from another site. Reload the page and send it again.",
        )
