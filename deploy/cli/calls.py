"""HTTP calls of commands: a problem document becomes a sentence, silence is retried where that is safe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from deploy.cli.stack import CommandError

UNAVAILABLE = 503
_TRIES = 6
_PAUSE = 0.5
_TIMEOUT = httpx.Timeout(30.0, connect=3.0)


def client(token: str | None = None) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(timeout=_TIMEOUT, headers=headers)


def call(
    link: httpx.Client,
    method: str,
    url: str,
    *,
    repeatable: bool = False,
    body: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """One call. Raises `CommandError` with the problem's own words.

    `repeatable` calls (GET, or those with an idempotency key or an offset) are tried again while the service is
    away or restarting.
    """
    for attempt in range(1, _TRIES + 1):
        last = attempt == _TRIES or not repeatable
        try:
            answer = link.request(method, url, json=body, params=params, content=content, headers=headers)
        except httpx.TransportError as error:
            if last:
                text = (
                    f"{url} does not answer ({type(error).__name__}). Is the stack up? `konullu status` tells"
                )
                raise CommandError(text) from None
        else:
            if answer.status_code != UNAVAILABLE or last:
                return _or_problem(answer)
        time.sleep(_PAUSE * attempt)
    raise AssertionError


def answer_of(answer: httpx.Response) -> Any:
    """The JSON of an answer. Raises `CommandError` when it is none: something else listens there."""
    try:
        return answer.json()
    except ValueError:
        text = f"{answer.url} answered something that is not JSON; does another program listen there?"
        raise CommandError(text) from None


class CallRefused(CommandError):
    """A service said no, in a problem document."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def _or_problem(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    words = problem.get("detail") or problem.get("title") or answer.reason_phrase
    raise CallRefused(
        answer.status_code, f"{words} ({answer.status_code}, {problem.get('type', answer.url)})"
    )
