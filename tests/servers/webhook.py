"""A partner's receiver: `python -m tests.servers.webhook --port N --log FILE --secret whsec_… [--secret whsec_…]`.

Verifies every request with the `standardwebhooks` package, refuses fields it does not know, and shows an id once.
`GET /timeline` gives what it shows now, `POST /faults` scripts what goes wrong next. Its log has one JSON line for each
thing that happened.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from tests.servers.faults import Fault, Faults
from tests.servers.journal import Journal
from tests.servers.misbehaving import GO_ON, Misdeeds, command, faults_of
from tests.servers.plain import Incoming, PlainServer, Reply
from tests.servers.running import serve

SECRET = "whsec_" + "dGVzdC1zZWNyZXQtZm9yLWEtcGFydG5lci1yZWNlaXZlcg=="


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


class MediaTold(_Strict):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    type: str
    bytes: int
    width: int
    height: int
    duration: float | None
    alt: str


class AttributionTold(_Strict):
    mode: Literal["name", "pseudonym", "anonymous"]
    text: str | None


class AiTold(_Strict):
    made: bool
    edited: bool


class SubmissionTold(_Strict):
    """What a partner is promised about a submission."""

    submission_id: str
    revision: int
    title: str
    body: str
    language: str
    country: str
    section: str | None
    hashtags: list[str]
    media: list[MediaTold]
    attribution: AttributionTold
    ai: AiTold
    channels: list[str] | None
    publish_at: datetime | None
    delivery_id: str
    short_link: str
    page_url: str | None


class Told(_Strict):
    type: Literal["submission.published", "submission.updated", "submission.removed"]
    timestamp: datetime
    data: SubmissionTold


class WebhookServer:
    """One receiver, with one secret or, while it changes over, two."""

    def __init__(
        self, log: Path, *, secrets: tuple[str, ...] = (SECRET,), faults: Faults | None = None
    ) -> None:
        self.secrets = secrets
        self.faults = faults or Faults()
        self.journal = Journal(log)
        self.http = PlainServer(self.answer)
        self.gone = False
        self._bodies: dict[str, str] = {}
        self._visible: dict[str, dict[str, Any]] = {}
        for entry in self.journal:
            self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> None:
        match entry["event"]:
            case "accepted":
                self._bodies[entry["webhook_id"]] = entry["body"]
                told = json.loads(entry["body"])
                if told["type"] == "submission.removed":
                    self._visible.pop(told["data"]["delivery_id"], None)
                else:
                    self._visible[told["data"]["delivery_id"]] = told["data"] | {
                        "type": told["type"],
                        "webhook_id": entry["webhook_id"],
                    }
            case "fault":
                self.faults.injected[entry["kind"]] += 1
                self.faults.calls += 1

    def timeline(self) -> list[dict[str, Any]]:
        """What the partner shows now."""
        return list(self._visible.values())

    async def answer(self, request: Incoming) -> Reply | None:
        """Handle one request."""
        match (request.method, request.path):
            case ("GET", "/timeline"):
                return Reply.of({"deliveries": self.timeline()})
            case ("GET", "/faults"):
                return Reply.of({"injected": dict(self.faults.injected), "calls": self.faults.calls})
            case ("POST", "/faults"):
                self.faults.script += [Fault.read(each) for each in json.loads(request.body)["faults"]]
                return Reply.of({"scripted": len(self.faults.script)})
            case ("POST", _):
                return await self._told(request)
        return Reply(405)

    async def _told(self, request: Incoming) -> Reply | None:
        if self.gone:
            return Reply(410)
        if not self._signed(request):
            self.journal.write("refused", reason="signature", arrived=request.arrived)
            return Reply.of({"error": "no signature of ours"}, 401)
        try:
            told = Told.model_validate_json(request.body)
        except ValidationError as error:
            self.journal.write("refused", reason=str(error.errors(include_url=False, include_input=False)[0]))
            return Reply.of({"error": "not what we agreed on"}, 400)
        fault = self.faults.next(told.type)
        if fault is not None:
            self.journal.write("fault", kind=fault.kind, type=told.type)
            if (early := await MISDEEDS.before(fault)) is not GO_ON:
                return early
        self._take(request, told)
        return await MISDEEDS.after(fault, Reply(204)) if fault else Reply(204)

    def _signed(self, request: Incoming) -> bool:
        for secret in self.secrets:
            try:
                Webhook(secret).verify(request.body, dict(request.headers))
            except WebhookVerificationError:
                continue
            return True
        return False

    def _take(self, request: Incoming, told: Told) -> None:
        identity, body = request.headers["webhook-id"], request.body.decode()
        known = self._bodies.get(identity)
        entry = {
            "webhook_id": identity,
            "type": told.type,
            "delivery_id": told.data.delivery_id,
            "submission_id": told.data.submission_id,
            "traceparent": request.headers.get("traceparent"),
            "arrived": request.arrived,
        }
        if known is None:
            self.journal.write("accepted", **entry, body=body)
            self._apply({"event": "accepted", "webhook_id": identity, "body": body})
        else:
            self.journal.write("repeated" if known == body else "changed", **entry)

    async def stop(self) -> None:
        await self.http.stop()
        self.journal.close()


MISDEEDS = Misdeeds(
    error=Reply(500),
    limited=lambda seconds: Reply(429, headers={"retry-after": str(int(seconds))}),
    refused=Reply.of({"error": "refused by script"}, 422),
    failed=Reply(503),
    garbled=Reply(302, headers={"location": "http://127.0.0.1:9/"}),
    refuses=frozenset({"refuse", "undeletable"}),
)


def main() -> None:
    parser = command(__doc__)
    parser.add_argument("--secret", action="append", default=[])
    options = parser.parse_args()
    server = WebhookServer(options.log, secrets=tuple(options.secret) or (SECRET,), faults=faults_of(options))
    serve(server.http, options.port, "webhook", server.stop)


if __name__ == "__main__":
    main()
