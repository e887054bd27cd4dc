"""The deployment of `docker-compose.yml`, started on loopback: healthy, and a submission gets through it."""

from collections.abc import AsyncIterator, Iterator
from functools import partial

import httpx
import pytest

from shared.bus.rights import inbox_of
from tests.support.composed import PATIENCE, SERVICES, Composed
from tests.support.guarded import linked
from tests.support.people import Line, Staff, Volunteer, eventually
from tests.support.processes import free_base, until

ITEM = {
    "title": "Xalça naxışları",
    "body": "Hər naxışın bir adı var.\nBiz onları toplayırıq.",
    "language": "az",
    "country": "AZ",
    "attribution": {"mode": "anonymous"},
    "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
}


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory, mongo_url: str) -> Iterator[Composed]:
    made = Composed(tmp_path_factory.mktemp("composed"), free_base(13), mongo_url)
    try:
        made.start_brokers()
        made.start_storage()
        made.provision()
        for name in SERVICES:
            made.start_service(name)
        for name in SERVICES:
            until(partial(made.healthy, name), seconds=PATIENCE, what=f"{name} to be healthy")
        made.start_gateway()
        yield made
    finally:
        made.stop()


@pytest.fixture
async def line(composed: Composed) -> AsyncIterator[Line]:
    opened = Line(f"http://127.0.0.1:{composed.base}")
    yield opened
    await opened.close()


async def test_a_submission_gets_from_registration_to_the_public_site(composed: Composed, line: Line) -> None:
    author = await Volunteer.register(line, name="Leyla", country="AZ", languages=["az"])
    receipt = await author.submit(ITEM)
    moderator = Staff(line, composed.staff("moderator"))

    held = await eventually(moderator.claim, seconds=PATIENCE, what="the case in the queue")
    await moderator.decide(held["claim_token"])

    async def address() -> str | None:
        ledger = await author.ledger(receipt["submission_id"])
        return next((each["url"] for each in ledger["deliveries"] if each["state"] == "posted"), None)

    page = await eventually(address, seconds=PATIENCE, what="the page")
    shown = await line.ask("GET", page)
    assert shown.status_code == httpx.codes.OK
    assert "<h1>Xalça naxışları</h1>" in shown.text or "Xalça naxışları</h1>" in shown.text


def test_a_process_that_has_gone_is_unhealthy(composed: Composed) -> None:
    composed.processes["metrics"].kill()

    assert not composed.healthy("metrics")

    composed.processes["metrics"].start()
    until(lambda: composed.healthy("metrics"), seconds=PATIENCE, what="metrics to be healthy again")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("ingest", "moderation.decided.v1"),
        ("publisher", "moderation.decided.v1"),
        ("metrics", "submissions.received.v1"),
        ("moderation", "people.registered.v1"),
        ("metrics", "$JS.API.CONSUMER.MSG.NEXT.MODERATION.publisher-moderation-decided-v1"),
        ("metrics", "$JS.ACK.MODERATION.publisher-moderation-decided-v1.1.1.1.1.0"),
        ("ingest", "dead.publisher.moderation.decided.v1"),
        ("moderation", "$JS.API.STREAM.DELETE.MODERATION"),
        ("moderation", "$JS.API.STREAM.PURGE.MODERATION"),
        ("moderation", "$JS.API.STREAM.UPDATE.MODERATION"),
    ],
)
async def test_no_service_may_do_what_is_anothers(composed: Composed, name: str, subject: str) -> None:
    async with linked(composed.broker_settings(name), name) as link:
        await link.publish(subject, b"{}", link.client.new_inbox())

        assert await link.is_refused(subject)


@pytest.mark.parametrize("name", SERVICES)
async def test_no_service_hears_what_another_is_answered(composed: Composed, name: str) -> None:
    ears = [f"{inbox_of(other)}.>" for other in SERVICES if other != name]
    async with linked(composed.broker_settings(name), name) as link:
        for subject in ears:
            await link.client.subscribe(subject)

        assert [await link.is_refused(subject) for subject in ears] == [True] * len(ears)


def test_the_operator_sees_the_dead_letters(composed: Composed) -> None:
    done = composed.run_once("operator")

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
