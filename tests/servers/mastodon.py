"""A Mastodon server with one account and a public timeline: `python -m tests.servers.mastodon --port N --log FILE`.

It takes what Mastodon takes and refuses the rest with its words; Mastodon.py, which the adapter's author did not write,
judges it in turn. `GET /timeline` shows what a reader sees now, `POST /faults` scripts what goes wrong next.
"""

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from tests.servers.faults import Fault, Faults
from tests.servers.journal import Journal
from tests.servers.misbehaving import GO_ON, Misdeeds, command, faults_of
from tests.servers.plain import Incoming, PlainServer, Reply
from tests.servers.running import serve

TOKEN: Final = "masto-test-token"
CHARACTERS: Final = 500
MARKER: Final = re.compile(r"/r/([0-9a-z]+)")
_LINK: Final = re.compile(r"https?://\S+")
_KNOWN: Final = frozenset(
    {"status", "visibility", "language", "sensitive", "spoiler_text", "in_reply_to_id", "media_ids"}
)
ACCOUNT: Final[Mapping[str, Any]] = {
    "id": "1",
    "username": "campaign",
    "acct": "campaign",
    "display_name": "Campaign",
    "locked": False,
    "bot": True,
    "created_at": "2026-01-01T00:00:00.000Z",
    "note": "",
    "url": "http://127.0.0.1/@campaign",
    "avatar": "",
    "avatar_static": "",
    "header": "",
    "header_static": "",
    "followers_count": 0,
    "following_count": 0,
    "statuses_count": 0,
    "emojis": [],
    "fields": [],
}


class MastodonServer:
    """One account's server."""

    def __init__(self, log: Path, *, token: str = TOKEN, faults: Faults | None = None) -> None:
        self.token, self.faults = token, faults or Faults()
        self.journal = Journal(log)
        self.http = PlainServer(self.answer)
        self.forgets_keys = False
        """Slow databases have let a repeated key through."""
        self._shown: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, str] = {}
        self._last = 0
        for entry in self.journal:
            self._apply(entry)

    def _apply(self, entry: Mapping[str, Any]) -> None:
        match entry["event"]:
            case "shown":
                status = entry["status"]
                self._last = max(self._last, int(status["id"]))
                self._keys[entry["key"]] = status["id"]
                self._shown[status["id"]] = {**status, "visible_at": entry["visible_at"]}
            case "deleted":
                self._shown.pop(entry["id"], None)
            case "fault":
                self.faults.injected[entry["kind"]] += 1

    def remember(self, event: str, **facts: Any) -> None:
        self.journal.write(event, **facts)
        self._apply({"event": event, **facts})

    def timeline(self) -> list[dict[str, Any]]:
        """What is visible now, oldest first."""
        shown = [each for each in self._shown.values() if each["visible_at"] <= time.time()]
        found = [(each, MARKER.findall(each["content"])) for each in shown]
        return [{**each, "marker": markers[-1] if markers else None} for each, markers in found]

    async def answer(self, request: Incoming) -> Reply | None:  # noqa: PLR0911 - one line per address
        """Handle one request."""
        match (request.method, *request.path.strip("/").split("/")):
            case ("GET", "timeline"):
                return Reply.of({"posts": self.timeline()})
            case ("POST", "faults"):
                self.faults.script += [Fault.read(each) for each in json.loads(request.body)["faults"]]
                return Reply.of({"scripted": len(self.faults.script)})
            case ("GET", "faults"):
                return Reply.of({"injected": dict(self.faults.injected), "calls": self.faults.calls})
            case ("GET", "api", "v1" | "v2", "instance"):
                return Reply.of({"uri": "127.0.0.1", "title": "Test", "version": "4.3.0"})
            case (_, "api", "v1", *_) if request.headers.get("authorization") != f"Bearer {self.token}":
                return _error(401, "The access token is invalid")
            case (method, "api", "v1", *rest):
                return await self._api(method, rest, request)
        return _error(404, "Record not found")

    async def _api(self, method: str, rest: list[str], request: Incoming) -> Reply | None:
        match (method, *rest):
            case ("GET", "accounts", "verify_credentials"):
                return Reply.of({**ACCOUNT, "source": {"privacy": "public", "fields": []}})
            case ("GET", "accounts", "1", "statuses"):
                return self._list(request.query)
            case ("GET", "statuses", number):
                found = self._visible(number)
                return _error(404, "Record not found") if found is None else Reply.of(found)
            case ("POST", "statuses"):
                return await self._change("post", lambda fault: self._post(request, fault))
            case ("DELETE", "statuses", number):
                return await self._change("delete", lambda fault: self._delete(number, fault))
        return _error(404, "Record not found")

    async def _change(self, call: str, carry_out: Any) -> Reply | None:
        fault = self.faults.next(call)
        if fault is not None:
            self.remember("fault", kind=fault.kind, call=call)
            if (early := await MISDEEDS.before(fault)) is not GO_ON:
                return early
        reply: Reply = carry_out(fault)
        return reply if fault is None or reply.status != 200 else await MISDEEDS.after(fault, reply)

    def _post(self, request: Incoming, fault: Fault | None) -> Reply:
        fields = _fields(request)
        if unknown := fields.keys() - _KNOWN:
            return _error(422, f"unknown fields: {', '.join(sorted(unknown))}")
        text = str(fields.get("status", ""))
        if not text.strip():
            return _error(422, "Validation failed: Text can't be blank")
        if len(_LINK.sub("x" * 23, text)) > CHARACTERS:
            return _error(422, f"Validation failed: Text character limit of {CHARACTERS} exceeded")
        if not re.fullmatch(r"[a-z]{2,3}", str(fields.get("language", "en"))):
            return _error(422, "Validation failed: Language is not known")
        key = request.headers.get("idempotency-key", "")
        known = self._shown.get(self._keys.get(key, ""))
        if key and known is not None and not self.forgets_keys:
            return Reply.of(known)
        number = str(self._last + 1)
        status = _status(number, text, str(fields.get("language", "en")))
        if fault is None or fault.kind != "lie":
            late = fault.seconds if fault is not None and fault.kind == "late" else 0.0
            self.remember("shown", status=status, key=key or number, visible_at=time.time() + late)
        return Reply.of(status)

    def _delete(self, number: str, fault: Fault | None) -> Reply:
        found = self._visible(number)
        if found is None:
            return _error(404, "Record not found")
        if fault is not None and fault.kind == "undeletable":
            return _error(403, "This action is not allowed")
        if fault is None or fault.kind != "lie":
            self.remember("deleted", id=number)
        return Reply.of(found)

    def _list(self, query: Mapping[str, str]) -> Reply:
        limit, below = int(query.get("limit", "20")), int(query.get("max_id", str(self._last + 1)))
        found = [each for each in reversed(self.timeline()) if int(each["id"]) < below]
        return Reply.of([self._visible(each["id"]) for each in found[: min(limit, 40)]])

    def _visible(self, number: str) -> dict[str, Any] | None:
        found = self._shown.get(number)
        if found is None or found["visible_at"] > time.time():
            return None
        return {name: value for name, value in found.items() if name != "visible_at"}

    async def stop(self) -> None:
        await self.http.stop()
        self.journal.close()


def _error(status: int, words: str, **headers: str) -> Reply:
    return Reply.of({"error": words}, status, **headers)


def _limited(seconds: float) -> Reply:
    moment = datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()
    return _error(
        429,
        "Too many requests",
        retry_after=str(int(seconds)),
        x_ratelimit_limit="300",
        x_ratelimit_remaining="0",
        x_ratelimit_reset=moment.replace("+00:00", "Z"),
    )


MISDEEDS: Final = Misdeeds(
    error=_error(500, "Internal server error"),
    limited=_limited,
    refused=_error(422, "Validation failed: refused by script"),
    failed=_error(503, "Service unavailable"),
)


def _fields(request: Incoming) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        return dict(json.loads(request.body))
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def _status(number: str, text: str, language: str) -> dict[str, Any]:
    paragraphs = [
        _LINK.sub(lambda link: f'<a href="{link[0]}">{link[0]}</a>', escape(part))
        for part in text.split("\n\n")
    ]
    return {
        "id": number,
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": language,
        "uri": f"http://127.0.0.1/users/campaign/statuses/{number}",
        "url": f"http://127.0.0.1/@campaign/{number}",
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "content": "".join(f"<p>{part}</p>" for part in paragraphs),
        "reblog": None,
        "account": dict(ACCOUNT),
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "card": None,
        "poll": None,
    }


def main() -> None:
    parser = command(__doc__)
    parser.add_argument("--token", default=TOKEN)
    options = parser.parse_args()
    server = MastodonServer(options.log, token=options.token, faults=faults_of(options))
    serve(server.http, options.port, "mastodon", server.stop)


if __name__ == "__main__":
    main()
