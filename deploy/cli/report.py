"""`konullu report` and `konullu channels`: what metrics and the publisher say, as people or programs want it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from deploy.cli.calls import answer_of, call, client
from deploy.cli.operator import operator_token
from deploy.cli.stack import CommandError, Stack


def report(stack: Stack, *, form: str, by: str | None, token: str | None) -> str:
    """The campaign's totals, or its reach broken down, as text or JSON."""
    if form not in {"text", "json"}:
        text = f"--format is text or json, not {form}"
        raise CommandError(text)
    url = stack.settings.metrics_url
    if by is None:
        with client() as link:
            totals = answer_of(call(link, "GET", f"{url}/v1/campaign", repeatable=True))
        return json.dumps(totals, ensure_ascii=False) if form == "json" else "\n".join(_totals(totals))
    with client(token or operator_token(stack)) as link:
        rows = answer_of(call(link, "GET", f"{url}/v1/reach", repeatable=True, params={"by": by}))
    return json.dumps(rows, ensure_ascii=False) if form == "json" else "\n".join(_rows(rows))


def channels(stack: Stack, token: str | None) -> Iterator[str]:
    """One line per channel."""
    with client(token or operator_token(stack)) as link:
        answer = answer_of(call(link, "GET", f"{stack.settings.publisher_url}/v1/channels", repeatable=True))
    for channel in answer["items"] if isinstance(answer, dict) else answer:
        rest = {key: value for key, value in channel.items() if key not in {"id", "channel", "kind", "url"}}
        name = channel.get("id") or channel.get("channel")
        yield f"{name:<16} {channel.get('kind', ''):<12} {channel.get('url') or '-':<40} {_short(rest)}"


def _totals(totals: dict[str, Any]) -> Iterator[str]:
    for name, measured in totals.items():
        if isinstance(measured, dict) and measured.get("value") is not None:
            yield f"{name:<12} {measured['value']:>12,}   {measured.get('source')}, {measured.get('as_of')}"
        else:
            yield f"{name:<12} {'–':>12}   not measured"


def _rows(answer: Any) -> Iterator[str]:
    rows = (answer.get("rows") or answer.get("items") or []) if isinstance(answer, dict) else answer
    for row in rows:
        yield _short(row)


def _short(values: dict[str, Any]) -> str:
    return "  ".join(f"{key}={value}" for key, value in values.items() if value is not None)
