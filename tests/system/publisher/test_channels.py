"""One suite of promises for every adapter that speaks to a server: errors, limits and lies."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr

from services.publisher.channels.http_client import Timeouts, Wire
from services.publisher.channels.mastodon.adapter import Mastodon
from services.publisher.channels.port import (
    Absent,
    Channel,
    NotSent,
    Post,
    Posted,
    Rejected,
    Removed,
    Residue,
    Unknown,
)
from services.publisher.channels.telegram.adapter import Telegram
from services.publisher.channels.webhook.adapter import Webhook
from services.publisher.channels.website.adapter import Website
from services.publisher.channels.website.site import Site
from shared.storage.media import MediaStore
from tests.servers.faults import Fault, Kind
from tests.servers.mastodon import TOKEN as MASTODON_TOKEN
from tests.servers.mastodon import MastodonServer
from tests.servers.plain import Incoming, PlainServer, Reply
from tests.servers.telegram import TOKEN, TelegramServer
from tests.servers.webhook import SECRET, WebhookServer
from tests.support.builders.posts import correction, post, stored
from tests.support.builders.site_items import campaign

QUICK = Timeouts(connect=1.0, look=0.8, change=0.8, upload=0.8)


@dataclass
class Stand:
    """An adapter with its server, and what the public sees there."""

    channel: Channel
    server: TelegramServer | WebhookServer | MastodonServer
    seen: Callable[[], list[str]]
    """The short links' codes of what is visible, oldest first."""

    def wrong(self, kind: Kind, **options: Any) -> None:
        self.server.faults.script.append(Fault(kind, **options))


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(f"file://{tmp_path}/media")


@pytest.fixture(params=["telegram", "webhook", "mastodon"])
async def stand(request: pytest.FixtureRequest, tmp_path: Path, media: MediaStore) -> AsyncIterator[Stand]:
    adapter: Telegram | Webhook | Mastodon
    log = tmp_path / "server.log"
    if request.param == "telegram":
        telegram = TelegramServer(log)
        await telegram.http.start()
        adapter = Telegram(
            "tg",
            chat="@example",
            token=SecretStr(TOKEN),
            media=media,
            base_url=telegram.http.url,
            wire=Wire("tg", secrets=(TOKEN,), timeouts=QUICK),
        )
        yield Stand(adapter, telegram, lambda: [each["marker"] for each in telegram.timeline()])
        await telegram.stop()
    elif request.param == "mastodon":
        mastodon = MastodonServer(log)
        await mastodon.http.start()
        adapter = Mastodon(
            "masto",
            base_url=mastodon.http.url,
            token=SecretStr(MASTODON_TOKEN),
            wire=Wire("masto", secrets=(MASTODON_TOKEN,), timeouts=QUICK),
        )
        yield Stand(adapter, mastodon, lambda: [each["marker"] for each in mastodon.timeline()])
        await mastodon.stop()
    else:
        webhook = WebhookServer(log)
        await webhook.http.start()
        adapter = Webhook(
            "partners",
            base_url=f"{webhook.http.url}/hook",
            secret=SecretStr(SECRET),
            wire=Wire("partners", secrets=(SECRET,), timeouts=QUICK),
        )
        yield Stand(
            adapter,
            webhook,
            lambda: [each["short_link"].rpartition("/")[2] for each in webhook.timeline()],
        )
        await webhook.stop()
    await adapter.close()


def marker(delivery: Post) -> str:
    return delivery.short_link.rpartition("/")[2]


async def test_what_is_posted_is_seen_once(stand: Stand) -> None:
    delivery = post()

    assert await stand.channel.prepare(delivery, {}) == {}
    outcome = await stand.channel.commit(delivery, {})

    assert isinstance(outcome, Posted)
    assert stand.seen() == [marker(delivery)]


@pytest.mark.parametrize("kind", ["hang_after", "reset_after", "error_after"])
async def test_an_outcome_that_nobody_told_is_unknown_though_it_is_there(stand: Stand, kind: Kind) -> None:
    stand.wrong(kind)
    delivery = post()

    outcome = await stand.channel.commit(delivery, {})

    assert isinstance(outcome, Unknown)
    assert stand.seen() == [marker(delivery)]


@pytest.mark.parametrize("kind", ["hang_before", "reset_before", "error_before"])
async def test_an_outcome_that_nobody_told_is_unknown_though_it_is_not_there(
    stand: Stand, kind: Kind
) -> None:
    stand.wrong(kind)

    assert isinstance(await stand.channel.commit(post(), {}), Unknown)
    assert stand.seen() == []


async def test_an_answer_that_cannot_be_read_is_unknown(stand: Stand) -> None:
    stand.wrong("garbled_after")

    assert isinstance(await stand.channel.commit(post(), {}), Unknown)


async def test_asked_to_wait_it_was_not_sent_and_says_how_long(stand: Stand) -> None:
    stand.wrong("rate_limited", seconds=7)

    outcome = await stand.channel.commit(post(), {})

    assert isinstance(outcome, NotSent)
    assert outcome.retry_after == 7.0
    assert stand.seen() == []


async def test_refused_it_is_rejected(stand: Stand) -> None:
    stand.wrong("refuse")

    outcome = await stand.channel.commit(post(), {})

    assert isinstance(outcome, Rejected)
    assert outcome.scope == "post"


async def test_where_nobody_listens_it_was_not_sent(stand: Stand) -> None:
    await stand.server.http.stop()

    assert isinstance(await stand.channel.commit(post(), {}), NotSent)


async def test_health_is_what_is_true_now(stand: Stand) -> None:
    assert (await stand.channel.health()).ok

    await stand.server.http.stop()

    assert not (await stand.channel.health()).ok


async def test_removed_it_is_seen_no_more_and_removing_it_again_is_removed(stand: Stand) -> None:
    delivery, other = post(), post("e7k2m4p6q8s2v4x6z2b4d6f8h2")
    posted = await stand.channel.commit(delivery, {})
    await stand.channel.commit(other, {})
    assert isinstance(posted, Posted)

    first = await stand.channel.remove(delivery, posted.remote_id)
    again = await stand.channel.remove(delivery, posted.remote_id)

    assert isinstance(first, Removed)
    assert isinstance(again, Removed)
    assert stand.seen() == [marker(other)]


@pytest.mark.parametrize("kind", ["hang_after", "reset_after", "error_after"])
async def test_a_removal_that_nobody_confirmed_can_be_asked_for_again(stand: Stand, kind: Kind) -> None:
    delivery = post()
    posted = await stand.channel.commit(delivery, {})
    assert isinstance(posted, Posted)
    stand.wrong(kind)

    assert isinstance(await stand.channel.remove(delivery, posted.remote_id), Unknown)
    assert isinstance(await stand.channel.remove(delivery, posted.remote_id), Removed)
    assert stand.seen() == []


async def test_a_refused_removal_is_residue_for_a_person(stand: Stand) -> None:
    delivery = post()
    posted = await stand.channel.commit(delivery, {})
    assert isinstance(posted, Posted)
    stand.wrong("undeletable")

    assert isinstance(await stand.channel.remove(delivery, posted.remote_id), Residue)


async def test_no_secret_stands_in_any_outcome(stand: Stand) -> None:
    outcomes = [await stand.channel.commit(post(), {})]
    for kind in ("refuse", "error_before", "hang_before", "reset_before", "rate_limited", "garbled_after"):
        stand.wrong(kind)
        outcomes.append(await stand.channel.commit(post(), {}))
    await stand.server.http.stop()
    outcomes.append(await stand.channel.commit(post(), {}))

    assert not [
        each for each in outcomes if any(secret in repr(each) for secret in (TOKEN, SECRET, MASTODON_TOKEN))
    ]


async def test_no_figure_is_made_up(stand: Stand) -> None:
    assert list(await stand.channel.sample(post(), "1/1")) == []


async def test_the_server_remembers_through_its_own_restart(stand: Stand, tmp_path: Path) -> None:
    delivery = post()
    await stand.channel.commit(delivery, {})
    await stand.server.stop()

    reborn = type(stand.server)(tmp_path / "server.log")

    assert len(reborn.timeline()) == 1


async def test_a_webhook_told_twice_is_shown_once(tmp_path: Path) -> None:
    server = WebhookServer(tmp_path / "log")
    await server.http.start()
    channel = Webhook("partners", base_url=server.http.url, secret=SecretStr(SECRET))
    server.faults.script.append(Fault("reset_after"))

    assert isinstance(await channel.commit(post(), {}), Unknown)
    assert isinstance(await channel.commit(post(), {}), Posted)

    assert [entry["event"] for entry in server.journal] == ["fault", "accepted", "repeated"]
    assert len(server.timeline()) == 1
    await channel.close()
    await server.stop()


async def test_a_webhook_tells_a_correction_as_an_update(tmp_path: Path) -> None:
    server = WebhookServer(tmp_path / "log")
    await server.http.start()
    channel = Webhook("partners", base_url=server.http.url, secret=SecretStr(SECRET))
    first = post()
    await channel.commit(first, {})

    await channel.commit(correction(first, "f7k2m4p6q8s2v4x6z2b4d6f8h2", title="Yeni başlıq"), {})

    told = [entry["type"] for entry in server.journal if entry["event"] == "accepted"]
    assert told == ["submission.published", "submission.updated"]
    await channel.close()
    await server.stop()


@pytest.mark.parametrize("accepted", [0, 1])
async def test_while_a_receiver_changes_its_secret_both_are_good(tmp_path: Path, accepted: int) -> None:
    secrets = (SECRET, "whsec_bmV3LXNlY3JldC1mb3ItdGhlLXJlY2VpdmVyLTEyMzQ=")
    server = WebhookServer(tmp_path / "log", secrets=(secrets[accepted],))
    await server.http.start()
    channel = Webhook("partners", base_url=server.http.url, secret=SecretStr(" ".join(secrets)))

    assert isinstance(await channel.commit(post(), {}), Posted)

    await channel.close()
    await server.stop()


async def test_a_receiver_that_wants_no_more_stops_the_channel(tmp_path: Path) -> None:
    server = WebhookServer(tmp_path / "log")
    await server.http.start()
    server.gone = True
    channel = Webhook("partners", base_url=server.http.url, secret=SecretStr(SECRET))

    outcome = await channel.commit(post(), {})

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.scope) == ("http_410", "channel")
    assert "410" in (await channel.health()).detail
    server.gone = False
    assert isinstance(await channel.commit(post(), {}), Posted)
    assert (await channel.health()).ok
    await channel.close()
    await server.stop()


@pytest.fixture
async def telegram(tmp_path: Path) -> AsyncIterator[TelegramServer]:
    server = TelegramServer(tmp_path / "telegram.log")
    await server.http.start()
    yield server
    await server.stop()


@pytest.fixture
async def chat(telegram: TelegramServer, media: MediaStore) -> AsyncIterator[Telegram]:
    adapter = Telegram("tg", chat="@example", token=SecretStr(TOKEN), media=media, base_url=telegram.http.url)
    yield adapter
    await adapter.close()


async def test_an_album_shows_every_picture_as_it_was_approved(
    telegram: TelegramServer, chat: Telegram, media: MediaStore
) -> None:
    pictures = tuple([await stored(media, colour=colour) for colour in ("red", "green", "blue")])
    delivery = post(media=pictures)

    assert await chat.prepare(delivery, {}) == {}
    posted = await chat.commit(delivery, {})

    assert isinstance(posted, Posted)
    [shown] = telegram.timeline()
    assert [each["sha256"] for each in shown["media"]] == [each.sha256 for each in pictures]
    assert shown["entities"] == [
        {"type": "bold", "offset": 0, "length": len("Şəhər muzeyində xalça sərgisi")}
    ]
    assert posted.url == f"https://t.me/example/{shown['message_ids'][0]}"

    assert isinstance(await chat.remove(delivery, posted.remote_id), Removed)
    assert telegram.timeline() == []


async def test_an_album_of_which_one_link_is_known_is_never_said_to_be_removed(
    telegram: TelegramServer, chat: Telegram, media: MediaStore
) -> None:
    pictures = tuple([await stored(media, colour=colour) for colour in ("red", "green", "blue")])
    delivery = post(media=pictures)
    posted = await chat.commit(delivery, {})
    assert isinstance(posted, Posted)
    assert posted.url is not None

    left = await chat.remove(delivery, posted.url)

    assert isinstance(left, Residue)
    assert "one of 3 messages" in left.detail
    assert len(telegram.timeline()[0]["message_ids"]) == 2


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("ru", "Сегодня открылась выставка ковров. " * 400),
        ("ar", "افتُتح اليوم معرض السجاد. " * 400),
        ("ka", "დღეს ხალიჩების გამოფენა გაიხსნა. " * 400),
        ("en", "👩‍👩‍👧‍👦" * 900),
    ],
)
@pytest.mark.parametrize("pictures", [0, 1])
async def test_a_long_text_in_any_script_is_taken(
    telegram: TelegramServer, chat: Telegram, media: MediaStore, language: str, body: str, pictures: int
) -> None:
    delivery = post(body=body, language=language, media=tuple([await stored(media) for _ in range(pictures)]))

    assert isinstance(await chat.commit(delivery, {}), Posted)
    assert [each["marker"] for each in telegram.timeline()] == [marker(delivery)]


async def test_a_picture_that_is_not_in_the_store_stops_it_before_anything_is_sent(
    telegram: TelegramServer, chat: Telegram, media: MediaStore
) -> None:
    missing = (await stored(media)).model_copy(update={"sha256": "0" * 64})
    delivery = post(media=(missing,))

    assert isinstance(await chat.prepare(delivery, {}), NotSent)
    assert isinstance(await chat.commit(delivery, {}), NotSent)
    assert telegram.timeline() == []


async def test_a_group_that_moved_names_where_to(telegram: TelegramServer, chat: Telegram) -> None:
    telegram.migrated["@example"] = -1001234567890

    outcome = await chat.commit(post(), {})

    assert isinstance(outcome, Rejected)
    assert outcome.scope == "channel"
    assert "-1001234567890" in outcome.detail


async def test_asking_for_health_uses_up_no_scripted_fault(telegram: TelegramServer, chat: Telegram) -> None:
    telegram.faults.script.append(Fault("reset_after"))

    assert (await chat.health()).ok
    assert isinstance(await chat.commit(post(), {}), Unknown)


async def test_a_wrong_token_stops_the_channel(telegram: TelegramServer, media: MediaStore) -> None:
    adapter = Telegram(
        "tg", chat="@example", token=SecretStr("7:wrong"), media=media, base_url=telegram.http.url
    )

    outcome = await adapter.commit(post(), {})
    health = await adapter.health()

    assert isinstance(outcome, Rejected)
    assert outcome.scope == "channel"
    assert not health.ok
    await adapter.close()


async def test_a_removal_that_is_only_claimed_is_not_believed(
    telegram: TelegramServer, chat: Telegram
) -> None:
    delivery = post()
    posted = await chat.commit(delivery, {})
    assert isinstance(posted, Posted)
    telegram.faults.script.append(Fault("lie", times=3, call="deleteMessage"))

    assert isinstance(await chat.remove(delivery, posted.remote_id), Unknown)
    assert isinstance(await chat.remove(delivery, posted.remote_id), Removed)


async def test_the_bot_api_server_refuses_what_aiogram_does_not_know(telegram: TelegramServer) -> None:
    async with httpx.AsyncClient(base_url=f"{telegram.http.url}/bot{TOKEN}/") as client:
        unknown = await client.post("sendMessage", json={"chat_id": "@a", "text": "x", "colour": "red"})
        nested = await client.post(
            "sendMessage",
            json={"chat_id": "@a", "text": "x", "link_preview_options": {"is_disabled": True, "size": 3}},
        )
        long = await client.post("sendMessage", json={"chat_id": "@a", "text": "𝄞" * 2049})
        torn = {"type": "bold", "offset": 1, "length": 1}
        entity = await client.post("sendMessage", json={"chat_id": "@a", "text": "👍", "entities": [torn]})

    answers = [each.json() for each in (unknown, nested, long, entity)]
    assert [each["error_code"] for each in answers] == [400, 400, 400, 400]
    assert telegram.timeline() == []


async def test_a_trace_reaches_the_channel(telegram: TelegramServer, chat: Telegram) -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("delivery") as span:
        await chat.commit(post(), {})

    [call] = [entry for entry in telegram.journal if entry["event"] == "call"]
    assert call["traceparent"].split("-")[1] == format(span.get_span_context().trace_id, "032x")


async def test_a_late_post_appears_after_its_failure(telegram: TelegramServer, chat: Telegram) -> None:
    telegram.faults.script.append(Fault("late", seconds=0.0))

    assert isinstance(await chat.commit(post(), {}), Unknown)
    assert len(telegram.timeline()) == 1
    assert json.loads(json.dumps(telegram.faults.injected)) == {"late": 1}


@pytest.mark.parametrize(
    ("status", "expected"), [(200, Posted), (404, Absent), (502, Unknown), (None, Unknown)]
)
async def test_the_website_is_read_back_as_readers_get_it(
    media: MediaStore, status: int | None, expected: type
) -> None:
    folder = Site(media, campaign(), "http://unused")
    delivery = post(channel="site")

    async def serve(request: Incoming) -> Reply | None:
        body = await media.get(f"site{request.path}index.html")
        return None if status is None else Reply(status, body)

    server = PlainServer(serve)
    await server.start()
    site = Site(media, campaign(), server.url)
    website = Website("site", site, public=Wire("site", timeouts=QUICK))
    await Website("site", folder).commit(delivery, {})

    assert isinstance(await website.read_back(delivery, ""), expected)

    await website.close()
    await server.stop()
