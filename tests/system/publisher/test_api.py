"""From a signed decision on the real bus to the channels and back, and what editors can do about it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.js.errors import NotFoundError

from services.publisher.app import assemble
from services.publisher.settings import PublisherSettings
from shared.bus.streams import DEAD_STREAM
from shared.events import (
    MODERATION_DECIDED,
    MODERATION_RECALLED,
    SUBMISSION_WITHDRAWN,
    Event,
    ModerationRecalled,
    Role,
    Scopes,
    SubmissionWithdrawn,
    Topic,
)
from shared.identity import signing
from shared.identity.tokens import COOKIE, Issuer, OwnKeys, Principal, csrf_token, jwks
from shared.storage.media import MediaStore
from tests.servers.faults import Fault
from tests.servers.plain import Incoming, PlainServer, Reply
from tests.servers.telegram import TOKEN, TelegramServer
from tests.servers.webhook import SECRET, WebhookServer
from tests.support.builders.posts import stored
from tests.support.builders.publications import NOON, approval_of
from tests.support.processes import within
from tests.support.running import Running, provisioned, running, settings_for
from tests.support.signed import publish_signed

DECISIONS, FORGED, TOKENS = (Ed25519PrivateKey.generate() for _ in range(3))


@dataclass
class House:
    """A running publisher, its channels' servers, and moderation's key."""

    service: Running
    settings: PublisherSettings
    telegram: TelegramServer
    webhook: WebhookServer
    moderation: PlainServer

    async def publish(self, topic: Topic[Any], event: Event) -> None:
        key = DECISIONS if topic is MODERATION_RECALLED else TOKENS
        await publish_signed(self.service.runtime.publisher, topic, event, key)

    async def decided(
        self, submission_id: str, key: Ed25519PrivateKey | None = DECISIONS, **more: Any
    ) -> None:
        decision = approval_of(submission_id, **more)
        await self.publish(MODERATION_DECIDED, decision if key is None else signing.sign(decision, key))

    async def get(self, path: str, role: Role = "editor", **scopes: Any) -> Any:
        return await self.service.http.get(path, headers=bearer(role, **scopes))

    async def post(self, path: str, body: object, role: Role = "editor") -> Any:
        return await self.service.http.post(path, json=body, headers=bearer(role))

    async def deliveries(self, submission_id: str) -> dict[str, dict[str, Any]]:
        answer = await self.get(f"/v1/deliveries?submission_id={submission_id}")
        assert answer.status_code == 200, answer.text
        return {each["channel"]: each for each in answer.json()["items"]}

    async def states(self, submission_id: str) -> dict[str, str]:
        return {channel: each["state"] for channel, each in (await self.deliveries(submission_id)).items()}

    async def site(self, url: str) -> bytes | None:
        """What the website's server would serve at a public address."""
        store = MediaStore(self.settings.media_url)
        path = url.removeprefix(f"{self.settings.public_url}/")
        try:
            return await store.get(f"site/{path}index.html")
        except FileNotFoundError:
            return None

    async def buried(self) -> list[str]:
        """The reasons of what was put aside."""
        stream = self.service.runtime.link.jetstream()
        try:
            found = await stream.get_last_msg(DEAD_STREAM, f"dead.publisher.{MODERATION_DECIDED.subject}")
        except NotFoundError:
            return []
        return [(found.headers or {})["Dead-Reason"]]


def bearer(role: Role = "editor", **scopes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(role, **scopes)}"}


def token(role: Role = "editor", **scopes: Any) -> str:
    return Issuer(TOKENS).issue(Principal(f"the-{role}", role, Scopes(**scopes)), now=_now())


def _now() -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415 - the tokens of this file alone need the real time

    return datetime.now(UTC)


async def until(what: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Wait until `what()` is `wanted`."""
    seen: object = None
    try:
        async with within(20):
            while (seen := await what()) != wanted:
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"wanted {wanted!r}, last seen {seen!r}") from None


@pytest.fixture
async def house(
    tmp_path: Path, nats_url: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    telegram, webhook = TelegramServer(tmp_path / "telegram.log"), WebhookServer(tmp_path / "webhook.log")

    async def keys(_: Incoming) -> Reply:
        return Reply.of(jwks(DECISIONS.public_key()))

    moderation = PlainServer(keys)
    for server in (telegram.http, webhook.http, moderation):
        await server.start()
    monkeypatch.setenv("TEST_HOOK", SECRET)
    monkeypatch.setenv("TEST_BOT", TOKEN)
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(
        f"""
name: Voices
languages: [az, en]
countries: [AZ, TR]
terms_version: "1"
channels:
  - {{id: site, kind: website}}
  - {{id: partners, kind: webhook, base_url: "{webhook.http.url}/hook", credentials: {{secret: "env:TEST_HOOK"}}}}
  - id: tg
    kind: telegram
    chat: "@voices"
    languages: [az]
    base_url: "{telegram.http.url}"
    credentials: {{token: "env:TEST_BOT"}}
"""
    )
    shared = settings_for(
        tmp_path / "home",
        nats_url=nats_url,
        mongo_url=mongo_url,
        campaign_path=campaign,
        moderation=moderation.url,
    )
    settings = PublisherSettings.model_validate(shared.model_dump() | {"first_pause": 0.2, "visits": (0.3,)})
    await provisioned(settings)
    async with running("publisher", settings, assemble, keys=OwnKeys(TOKENS.public_key())) as service:
        yield House(service, settings, telegram, webhook, moderation)
    for stop in (telegram.stop, webhook.stop, moderation.stop):
        await stop()


async def test_an_approved_submission_reaches_every_channel_once_and_a_recall_removes_it(
    house: House,
) -> None:
    submission = str(uuid4())
    for _ in range(3):
        await house.decided(submission)

    await until(lambda: house.states(submission), {"site": "posted", "partners": "posted", "tg": "posted"})

    deliveries = await house.deliveries(submission)
    page = await house.site(deliveries["site"]["url"])
    assert page is not None
    assert "Xalça naxışları".encode() in page
    for each in deliveries.values():
        assert each["short_link"].startswith(f"{house.settings.public_url}/r/")
        code = each["short_link"].rsplit("/", 1)[1]
        assert await house.site(f"{house.settings.public_url}/go/{code}/") is not None
    assert [len(house.telegram.timeline()), len(house.webhook.timeline())] == [1, 1]

    answer = await house.post("/v1/recalls", {"submission_id": submission, "reason": "a mistake"})
    assert answer.status_code == 202, answer.text
    await until(lambda: house.states(submission), {"site": "removed", "partners": "removed", "tg": "removed"})
    assert all(each["proof"] for each in (await house.deliveries(submission)).values())
    assert await house.site(deliveries["site"]["url"]) is None


async def test_many_recalls_are_two_peoples_work(house: House) -> None:
    alone = house.settings.recalls_alone
    submissions = [str(uuid4()) for _ in range(alone + 1)]
    for submission in submissions:
        await house.decided(submission)
    await until(
        lambda: house.states(submissions[-1]), {"site": "posted", "partners": "posted", "tg": "posted"}
    )

    async def recalled(submission: str) -> int:
        answer = await house.post("/v1/recalls", {"submission_id": submission, "reason": "a mistake"})
        status: int = answer.status_code
        return status

    assert [await recalled(each) for each in submissions] == [202] * alone + [409]
    assert await recalled(submissions[0]) == 202


async def test_a_withdrawal_that_arrives_before_the_decision_wins(house: House) -> None:
    submission = str(uuid4())
    await house.publish(
        SUBMISSION_WITHDRAWN,
        SubmissionWithdrawn(event_id=uuid4(), occurred_at=NOON, subject_id=submission, version=2),
    )
    await until(lambda: _grave(house, submission), "withdrawn")

    await house.decided(submission)
    other = str(uuid4())
    await house.decided(other)
    await until(lambda: house.states(other), {"site": "posted", "partners": "posted", "tg": "posted"})

    assert await house.states(submission) == {}


async def test_moderation_s_recall_removes_too(house: House) -> None:
    submission = str(uuid4())
    await house.decided(submission, language="en")
    await until(lambda: house.states(submission), {"site": "posted", "partners": "posted"})

    await house.publish(
        MODERATION_RECALLED,
        ModerationRecalled(
            event_id=uuid4(), occurred_at=NOON, subject_id=submission, version=2, reason="rights", by="m"
        ),
    )

    await until(lambda: house.states(submission), {"site": "removed", "partners": "removed"})


@pytest.mark.parametrize("how", ["unsigned", "altered", "unknown_key", "inconsistent", "replayed_version"])
async def test_a_decision_that_is_not_moderation_s_own_is_buried_with_the_reason(
    house: House, how: str
) -> None:
    submission = str(uuid4())
    match how:
        case "unsigned":
            await house.decided(submission, key=None)
        case "unknown_key":
            await house.decided(submission, key=FORGED)
        case "altered":
            good = signing.sign(approval_of(submission), DECISIONS)
            assert good.snapshot is not None
            altered = good.snapshot.model_copy(update={"body": "something else"})
            await house.publish(MODERATION_DECIDED, good.model_copy(update={"snapshot": altered}))
        case "inconsistent":
            decision = approval_of(submission).model_copy(update={"approvals": ()})
            await house.publish(MODERATION_DECIDED, signing.sign(decision, DECISIONS))
        case _:
            await house.decided(submission)
            await until(lambda: house.states(submission), dict.fromkeys(("site", "partners", "tg"), "posted"))
            await house.decided(submission, revision=2)

    async def reason() -> bool:
        return how in "".join(await house.buried())

    await until(reason, True)
    assert set((await house.states(submission)).values()) <= (
        {"posted"} if how == "replayed_version" else set()
    )


async def test_a_decision_waits_while_its_key_cannot_be_asked_for(house: House) -> None:
    port = house.moderation.port
    await house.moderation.stop()
    submission = str(uuid4())
    before = await house.buried()
    await house.decided(submission)

    assert await house.states(submission) == {}

    await house.moderation.start(port)

    await until(lambda: house.states(submission), dict.fromkeys(("site", "partners", "tg"), "posted"))
    assert before == await house.buried()


async def test_a_person_settles_what_telegram_did_not_answer(house: House) -> None:
    house.telegram.faults.script.append(Fault("reset_after"))
    submission = str(uuid4())
    await house.decided(submission, channels=("tg",))
    await until(lambda: house.states(submission), {"tg": "needs_human"})
    delivery = (await house.deliveries(submission))["tg"]
    resolution = f"/v1/deliveries/{delivery['delivery_id']}/resolution"

    listed = (await house.get("/v1/deliveries/waiting?limit=1", role="coordinator")).json()
    assert [each["delivery_id"] for each in listed["items"]] == [delivery["delivery_id"]]
    after = await house.get(f"/v1/deliveries/waiting?limit=1&cursor={quote(listed['next'])}")
    assert after.json() == {"items": [], "next": None}
    for wrong in ("x", "9999-12-31T23:59:59-23:59/s", "2026-11-30T12:00:00/"):
        assert (await house.get(f"/v1/deliveries/waiting?cursor={quote(wrong)}")).status_code == 422
    elsewhere = await house.get("/v1/deliveries/waiting", role="coordinator", countries=("TR",))
    assert elsewhere.json()["items"] == []

    body = {"outcome": "posted", "url": "https://t.me/voices/1"}
    answer = await house.post(resolution, body, role="moderator")

    assert (answer.status_code, answer.json()["state"]) == (200, "posted"), answer.text
    assert (await house.post(resolution, body)).status_code == 200
    late = await house.post(resolution, {"outcome": "absent"})
    assert (late.status_code, late.json()["type"]) == (409, "urn:konullu:problem:not_waiting")
    assert len(house.telegram.timeline()) == 1


async def test_an_album_that_a_person_found_is_taken_back_whole(house: House) -> None:
    store = MediaStore(house.settings.media_url)
    pictures = [await stored(store, colour=colour) for colour in ("red", "green", "blue")]
    house.telegram.faults.script.append(Fault("reset_after"))
    submission = str(uuid4())
    await house.decided(submission, channels=("tg",), media=tuple(pictures))
    await until(lambda: house.states(submission), {"tg": "needs_human"})
    delivery = (await house.deliveries(submission))["tg"]["delivery_id"]
    resolution = f"/v1/deliveries/{delivery}/resolution"
    [album] = house.telegram.timeline()
    links = [f"t.me/voices/{number}?single" for number in album["message_ids"]]

    for missing in (links[:1], links[:2], [links[0], links[0], links[1]], ["t.me/voices"], ["//[foo"]):
        answer = await house.post(resolution, {"outcome": "posted", "urls": missing})
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:konullu:problem:link_invalid"), (
            answer.text
        )
    one = await house.post(resolution, {"outcome": "posted", "url": links[0]})
    assert "the link of each" in one.json()["detail"]
    done = await house.post(resolution, {"outcome": "posted", "url": links[0], "urls": links[1:]})
    assert (done.status_code, done.json()["url"]) == (200, f"https://t.me/voices/{album['message_ids'][0]}")

    await house.post("/v1/recalls", {"submission_id": submission, "reason": "a mistake"})
    await until(lambda: house.states(submission), {"tg": "removed"})
    assert house.telegram.timeline() == []


async def test_of_what_a_person_found_and_did_not_say_where_a_residue_is_left(house: House) -> None:
    house.telegram.faults.script.append(Fault("reset_after"))
    submission = str(uuid4())
    await house.decided(submission, channels=("tg",))
    await until(lambda: house.states(submission), {"tg": "needs_human"})
    delivery = (await house.deliveries(submission))["tg"]["delivery_id"]

    await house.post(f"/v1/deliveries/{delivery}/resolution", {"outcome": "posted"})
    await house.post("/v1/recalls", {"submission_id": submission, "reason": "a mistake"})

    await until(lambda: house.states(submission), {"tg": "residue"})
    assert len(house.telegram.timeline()) == 1


async def test_what_is_asked_wrongly_is_refused_with_what_to_do(house: House) -> None:
    submission = str(uuid4())
    await house.decided(submission, country="TR", language="en")
    await until(lambda: house.states(submission), {"site": "posted", "partners": "posted"})
    path = f"/v1/deliveries?submission_id={submission}"

    answers = [
        (401, "token_missing", await house.service.http.get(path)),
        (403, "forbidden", await house.get(path, role="volunteer")),
        (403, "out_of_scope", await house.get(path, role="coordinator", countries=("AZ",))),
        (
            403,
            "forbidden",
            await house.post("/v1/recalls", {"submission_id": submission, "reason": "x"}, "moderator"),
        ),
        (404, "unknown_submission", await house.post("/v1/recalls", {"submission_id": "no", "reason": "x"})),
        (422, "invalid", await house.post("/v1/recalls", {"submission_id": submission, "reason": " "})),
        (404, "unknown_delivery", await house.post("/v1/deliveries/no/resolution", {"outcome": "absent"})),
        (422, "invalid", await house.post("/v1/deliveries/no/resolution", {"outcome": "gone"})),
    ]

    for status, code, answer in answers:
        assert (status, f"urn:konullu:problem:{code}") == (answer.status_code, answer.json()["type"])
    assert await house.states("never heard of") == {}


async def test_channels_are_shown_with_health_and_budget(house: House) -> None:
    async def healthy() -> dict[str, bool]:
        answer = await house.get("/v1/channels", role="coordinator")
        return {each["id"]: each["health"]["ok"] for each in answer.json()["items"]}

    await until(healthy, {"site": True, "partners": True, "tg": True})
    items = (await house.get("/v1/channels")).json()["items"]
    assert [f"{house.settings.public_url}/", "https://t.me/voices"] == [items[0]["url"], items[2]["url"]]
    assert all("rate_per_second" in each["budget"] for each in items)


async def test_the_desk_shows_and_settles_with_a_form(house: House) -> None:
    house.telegram.faults.script.append(Fault("reset_after"))
    submission, session = str(uuid4()), token()
    await house.decided(submission)
    await until(
        lambda: house.states(submission), {"site": "posted", "partners": "posted", "tg": "needs_human"}
    )
    http, cookies = house.service.http, {"Cookie": f"{COOKIE}={session}"}

    today = await http.get("/desk/publisher", headers=cookies)
    assert today.status_code == 200, today.text
    assert "Xalça naxışları" in today.text
    delivery = (await house.deliveries(submission))["tg"]["delivery_id"]
    assert f'data-delivery="{delivery}"' in today.text
    for language in ("az", "tr", "ru"):
        page = await http.get(f"/desk/publisher/submissions/{submission}?lang={language}", headers=cookies)
        assert page.status_code == 200, page.text

    refused = await http.post("/desk/publisher/recalls", data={"submission_id": submission}, headers=cookies)
    assert refused.status_code == 403
    form = {"csrf": csrf_token(session)}
    path = f"/desk/publisher/deliveries/{delivery}/resolution"
    mistyped = await http.post(path, data={**form, "outcome": "posted", "url": "t.me/x 1"}, headers=cookies)
    assert mistyped.status_code == 422
    assert 'value="t.me/x 1"' in mistyped.text
    done = await http.post(path, data={**form, "outcome": "posted", "url": ""}, headers=cookies)
    assert (done.status_code, done.headers["location"]) == (303, f"/desk/publisher/submissions/{submission}")
    recall = {**form, "submission_id": submission, "reason": "səhv"}
    unconfirmed = await http.post("/desk/publisher/recalls", data=recall, headers=cookies)
    assert unconfirmed.status_code == 422
    assert 'rows="3">səhv</textarea>' in unconfirmed.text
    assert '<details class="card" id="recall" open>' in unconfirmed.text
    done = await http.post("/desk/publisher/recalls", data={**recall, "confirmed": "yes"}, headers=cookies)
    assert done.status_code == 303
    await until(lambda: _grave(house, submission), "recalled")


async def _grave(house: House, submission_id: str) -> str | None:
    answer = await house.get(f"/v1/deliveries?submission_id={submission_id}")
    taken_back = answer.json()["taken_back"]
    return None if taken_back is None else str(taken_back["kind"])
