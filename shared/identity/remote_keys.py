"""Public keys of another service, fetched once, kept on disk, fetched again when an unknown key id turns up."""

import asyncio
import json
import ssl
from pathlib import Path
from time import monotonic
from typing import Final

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.failures import Unavailable
from shared.identity.tokens import public_keys

log = structlog.get_logger()

ASK_AGAIN_AFTER_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 3.0


class RemoteKeys:
    """The key set at `{base}/.well-known/jwks.json`. Implements `shared.identity.tokens.Keys`."""

    def __init__(self, base: str, cache: Path) -> None:
        self._url, self._cache = f"{base}/.well-known/jwks.json", cache
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._asked_at = float("-inf")
        self._answered = False
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key, if the other service has it. Raises `Unavailable` when it is not known here and cannot be asked."""
        if kid not in self._keys:
            async with self._lock:
                if kid not in self._keys:
                    await self._learn(kid)
        return self._keys.get(kid)

    async def known(self) -> dict[str, Ed25519PublicKey]:
        """Every key known so far."""
        return dict(self._keys)

    def _trusted(self) -> ssl.SSLContext | bool:
        """The usual authorities for https; for http nobody, which spares loading them: three megabytes."""
        return True if self._url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    async def _learn(self, kid: str) -> None:
        if not self._keys and self._cache.exists():
            self._keys = public_keys(json.loads(self._cache.read_text()))
            if kid in self._keys:
                return
        if monotonic() - self._asked_at < ASK_AGAIN_AFTER_SECONDS:
            if not self._answered:
                raise Unavailable(self._url)
            return
        self._asked_at, self._answered = monotonic(), False
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, verify=self._trusted()) as client:
                answer = await client.get(self._url)
                answer.raise_for_status()
                document = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("keys_unreachable", url=self._url, error=str(error))
            raise Unavailable(self._url) from error
        self._keys, self._answered = public_keys(document), True
        self._cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._cache.with_suffix(".new")
        temporary.write_text(json.dumps(document))
        temporary.replace(self._cache)
