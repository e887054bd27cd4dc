"""What Mastodon alone can do, and whether our test server is one: judged by a client that others wrote."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import mastodon
import pytest
from pydantic import SecretStr

from services.publisher.channels.mastodon.adapter import Mastodon
from services.publisher.channels.port import Absent, NotSent, Posted, Rejected, Removed, Unknown
from tests.servers.faults import Fault
from tests.servers.mastodon import TOKEN, MastodonServer
from tests.support.builders.posts import post


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[MastodonServer]:
    made = MastodonServer(tmp_path / "log")
    await made.http.start()
    yield made
    await made.stop()


@pytest.fixture
async def account(server: MastodonServer) -> AsyncIterator[Mastodon]:
    made = Mastodon("masto", base_url=server.http.url, token=SecretStr(TOKEN))
    yield made
    await made.close()


async def test_a_client_that_others_wrote_takes_our_server_for_one(server: MastodonServer) -> None:
    def judge() -> None:
        client = mastodon.Mastodon(
            access_token=TOKEN,
            api_base_url=server.http.url,
            version_check_mode="none",
            ratelimit_method="throw",
        )
        me = client.account_verify_credentials()
        first = client.status_post("Salam", idempotency_key="k", language="az")
        again = client.status_post("Salam", idempotency_key="k", language="az")
        assert first.id == again.id
        assert [each.id for each in client.account_statuses(me)] == [first.id]
        assert client.status(first).content == "<p>Salam</p>"
        client.status_delete(first)
        with pytest.raises(mastodon.MastodonNotFoundError):
            client.status(first)
        with pytest.raises(mastodon.MastodonAPIError):
            client.status_post("x" * 501)

    await asyncio.to_thread(judge)


async def test_a_client_that_others_wrote_is_told_to_wait(server: MastodonServer) -> None:
    server.faults.script.append(Fault("rate_limited", seconds=60))
    client = mastodon.Mastodon(
        access_token=TOKEN, api_base_url=server.http.url, version_check_mode="none", ratelimit_method="throw"
    )

    with pytest.raises(mastodon.MastodonRatelimitError):
        await asyncio.to_thread(client.status_post, "Salam")


async def test_a_commit_of_unknown_outcome_is_found_by_its_link(
    server: MastodonServer, account: Mastodon
) -> None:
    delivery = post()
    for other in range(45):
        await account.commit(post(f"a{other:025d}"), {})
    server.faults.script.append(Fault("reset_after"))

    assert isinstance(await account.commit(delivery, {}), Unknown)
    for other in range(45):
        await account.commit(post(f"b{other:025d}"), {})
    found = await account.reconcile(delivery, {})

    assert isinstance(found, Posted)
    assert isinstance(await account.read_back(delivery, found.remote_id), Posted)


async def test_what_did_not_arrive_is_not_found(server: MastodonServer, account: Mastodon) -> None:
    server.faults.script.append(Fault("reset_before"))
    await account.commit(post(), {})

    assert await account.reconcile(post(), {}) == Absent()


async def test_a_lie_is_seen_by_reading_back(server: MastodonServer, account: Mastodon) -> None:
    server.faults.script.append(Fault("lie"))
    posted = await account.commit(post(), {})

    assert isinstance(posted, Posted)
    assert await account.read_back(post(), posted.remote_id) == Absent()


async def test_the_same_delivery_again_is_not_shown_twice(server: MastodonServer, account: Mastodon) -> None:
    first, again = await account.commit(post(), {}), await account.commit(post(), {})

    assert first == again
    assert len(server.timeline()) == 1


async def test_what_a_person_pointed_to_is_removed_and_what_nobody_pointed_to_is_looked_for(
    server: MastodonServer, account: Mastodon
) -> None:
    for where in ("https://masto.example/@campaign/1", "d7k2m4p6q8s2v4x6z2b4d6f8h2"):
        await account.commit(replace(post(), round=len(server.timeline())), {})
        number = server.timeline()[-1]["id"]

        assert isinstance(await account.remove(post(), where.replace("/1", f"/{number}")), Removed)
        assert server.timeline() == []


async def test_its_own_counts_are_its_figures(server: MastodonServer, account: Mastodon) -> None:
    posted = await account.commit(post(), {})
    assert isinstance(posted, Posted)

    figures = await account.sample(post(), posted.remote_id)

    assert {(each.metric, each.value) for each in figures} == {
        ("reactions", 0),
        ("shares", 0),
        ("comments", 0),
    }


async def test_a_token_that_was_revoked_is_the_channels_trouble(
    server: MastodonServer, account: Mastodon
) -> None:
    server.token = "another"
    outcome = await account.commit(post(), {})

    assert isinstance(outcome, Rejected)
    assert outcome.scope == "channel"
    assert not (await account.health()).ok


async def test_a_wait_is_also_read_from_the_rate_limits_reset(
    server: MastodonServer, account: Mastodon
) -> None:
    answer = await account.commit(post(), {})
    assert isinstance(answer, Posted)
    server.faults.script.append(Fault("rate_limited", seconds=0.4))

    outcome = await account.commit(post("e7k2m4p6q8s2v4x6z2b4d6f8h2"), {})

    assert isinstance(outcome, NotSent)
    assert outcome.retry_after is not None
