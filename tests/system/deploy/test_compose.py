"""The deployment of `docker-compose.yml`, started on loopback: healthy, and a submission gets through it."""

from collections.abc import AsyncIterator, Iterator
from functools import partial

import httpx
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

from tests.support.composed import PATIENCE, SERVICES, Composed
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
    ],
)
async def test_no_service_may_publish_what_is_anothers(composed: Composed, name: str, subject: str) -> None:
    link = await _as(composed, name)
    stream = link.jetstream()

    with pytest.raises((NatsError, NoStreamResponseError, TimeoutError)):
        await stream.publish(subject, b"{}", timeout=1)

    await link.close()


async def test_no_service_may_change_the_streams(composed: Composed) -> None:
    link = await _as(composed, "moderation")

    for call in ("STREAM.DELETE.MODERATION", "STREAM.PURGE.MODERATION", "STREAM.UPDATE.MODERATION"):
        with pytest.raises((NatsError, APIError, TimeoutError)):
            await link.request(f"$JS.API.{call}", b"{}", timeout=0.5)

    await link.close()


async def _as(composed: Composed, name: str) -> Client:
    async def quietly(_error: Exception) -> None:
        """The broker says no on the connection too."""

    link = Client()
    url = (composed.folder / "secrets" / f"nats_url_{name}").read_text().split(",")
    await link.connect(url, error_cb=quietly)
    return link
