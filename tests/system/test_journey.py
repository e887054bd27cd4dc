"""One submission all the way through a whole stack, seen from outside, in one trace; and taken down again."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.demo.drawn import photo
from tests.servers.otlp import Receiver, otlp_receiver
from tests.support.people import Line, Staff, Volunteer, campaign, eventually, expect
from tests.support.stack import Stack, lines, stack

TITLE = "Şəhər muzeyində xalça sərgisi"
BODY = "Birinci sətir.\n\n\u2067سطر عربي\u2069 ilə sətir <script>alert(1)</script>\nSon."


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as started:
        yield started


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("journey")
    with stack(folder, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}) as started:
        yield started


@pytest.fixture
async def line(built: Stack) -> Any:
    opened = Line(built.url)
    yield opened
    await opened.close()


def item(author: Volunteer, **changes: Any) -> dict[str, Any]:
    return {
        "title": TITLE,
        "body": BODY,
        "language": "az",
        "country": author.country,
        "hashtags": ["mədəniyyət"],
        "media": [],
        "attribution": {"mode": "pseudonym", "text": "Ayna"},
        "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
        "ai": {"made": False, "edited": False},
        **changes,
    }


async def approved(moderator: Staff, submission_id: str) -> dict[str, Any]:
    """Claim until the case is in one's hands, and approve it."""

    async def mine() -> dict[str, Any] | None:
        held = await moderator.claim()
        if held is not None and held["submission"]["submission_id"] != submission_id:
            await moderator.decide(held["claim_token"])
            return None
        return held

    held = await eventually(mine, seconds=20, what="the case in the queue")
    outcome = await moderator.decide(held["claim_token"])
    assert outcome is not None
    return outcome


async def published(author: Volunteer, submission_id: str) -> dict[str, Any]:
    async def all_posted() -> dict[str, Any] | None:
        ledger = await author.ledger(submission_id)
        states = {d["state"] for d in ledger["deliveries"]}
        return ledger if len(ledger["deliveries"]) == 3 and states == {"posted"} else None

    found: dict[str, Any] = await eventually(all_posted, seconds=40, what="posted everywhere")
    return found


async def test_a_submission_goes_all_the_way_in_one_trace_and_is_taken_down_with_proof(
    built: Stack, line: Line, receiver: Receiver
) -> None:
    author = await Volunteer.register(line, name="Ayna", country="AZ", languages=["az"])
    moderator = Staff(line, built.staff("moderator", "Leyla", "--languages", "az"))
    editor = Staff(line, built.staff("editor", "Nino"))
    upload = await author.upload(photo(1), "photo.jpg", "image/jpeg")
    chosen = uuid4().hex
    answer = await line.ask(
        "POST",
        "/api/ingest/v1/submissions",
        json=item(author, media=[{"upload_id": upload, "alt": "Xalça"}]),
        headers={
            **author.headers,
            "Idempotency-Key": str(uuid4()),
            "traceparent": f"00-{chosen}-00f067aa0ba902b7-01",
        },
    )
    assert answer.status_code == 202, answer.text
    sent = answer.json()
    trace_id = trace_of(built, sent["submission_id"])
    assert trace_id != chosen
    await asyncio.to_thread(built.command, "restart", "ingest")
    await asyncio.to_thread(built.command, "restart", "moderation")
    await approved(moderator, sent["submission_id"])
    ledger = await published(author, sent["submission_id"])

    assert ledger["state"] == "published"
    assert ledger["published_text"] is not None
    [site] = [d for d in ledger["deliveries"] if d["channel"] == "site"]
    async with httpx.AsyncClient() as reader:
        page = await reader.get(site["url"])
        links = {d["channel"]: d["short_link"] for d in await editor.deliveries(sent["submission_id"])}
        click = await reader.get(links["tg"], headers={"User-Agent": "Mozilla/5.0 Firefox/140.0"})
    assert page.status_code == 200
    assert TITLE in page.text
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert click.status_code == 302
    assert len([p for p in built.timeline() if TITLE in p["text"]]) == 1
    assert len([h for h in built.received() if h["submission_id"] == sent["submission_id"]]) == 1

    async def clicked() -> bool:
        shown = await campaign(line)
        reach = (await author.ledger(sent["submission_id"]))["reach"]
        return bool(shown["clicks"]["value"] >= 1 and reach.get("clicks", {}).get("value") == 1)

    await eventually(clicked, seconds=30, what="the click counted")
    await one_trace(built, receiver, trace_id)
    assert receiver.trace(chosen) == []
    assert upload not in str(receiver.spans)
    await taken_down(built, editor, author, sent["submission_id"], site["url"])


def trace_of(built: Stack, submission_id: str) -> str:
    """The trace in which ingest took a submission, as its log tells."""
    log = built.home / "logs" / "ingest.log"
    found = (json.loads(line) for line in log.read_text().splitlines() if submission_id in line)
    return next(str(line["trace_id"]) for line in found if line["event"] == "submission_accepted")


async def one_trace(built: Stack, receiver: Receiver, trace_id: str) -> None:
    """Every service took part in the trace, it reached the channels, and no parent is missing."""
    services = {f"konullu-{name}" for name in ("ingest", "moderation", "publisher", "metrics")}

    def whole() -> bool:
        spans = receiver.trace(trace_id)
        ids = {span.span_id for span in spans}
        return {span.service for span in spans} == services and all(
            span.parent_id in {*ids, ""} for span in spans
        )

    async def is_whole() -> bool:
        return whole()

    try:
        await eventually(is_whole, seconds=20, what="a whole trace")
    except TimeoutError:
        spans = receiver.trace(trace_id)
        ids = {span.span_id for span in spans}
        missing = [span for span in spans if span.parent_id not in {*ids, ""}]
        pytest.fail(f"services {sorted({s.service for s in spans})}, without a parent: {missing}")
    for log in ("webhook.jsonl", "telegram.jsonl"):
        assert any(trace_id in (entry.get("traceparent") or "") for entry in lines(built.log.parent / log)), (
            log
        )


async def taken_down(built: Stack, editor: Staff, author: Volunteer, submission_id: str, url: str) -> None:
    await editor.recall(submission_id, "the exhibition was called off")

    async def gone() -> bool:
        return all(d["state"] == "removed" for d in await editor.deliveries(submission_id))

    await eventually(gone, seconds=40, what="removed everywhere")
    async with httpx.AsyncClient() as reader:
        assert (await reader.get(url)).status_code in {404, 410}
    assert [p for p in built.timeline() if TITLE in p["text"]] == []
    assert [h for h in built.received() if h["submission_id"] == submission_id] == []

    async def told() -> bool:
        return bool((await author.ledger(submission_id))["state"] == "recalled")

    await eventually(told, seconds=20, what="the author told")
    assert (await author.ledger(submission_id))["recall_reason"] == "the exhibition was called off"
    page = expect(await author.line.ask("GET", f"/send/{submission_id}", headers=author.headers), 200)
    assert "the exhibition was called off" in page.text


@pytest.mark.parametrize("engine", ["nats", "database"])
async def test_readiness_follows_an_engine_that_stands_still_and_liveness_does_not(
    built: Stack, engine: str
) -> None:
    pid = json.loads((built.home / "run.json").read_text())["children"][engine][0]
    ports = [built.port(name) for name in ("ingest", "moderation", "publisher", "metrics")]

    async def codes(path: str) -> list[int]:
        async with httpx.AsyncClient(timeout=3) as client:
            answers = await asyncio.gather(*(client.get(f"http://127.0.0.1:{port}{path}") for port in ports))
        return [answer.status_code for answer in answers]

    async def all_are(path: str, code: int) -> bool:
        return await codes(path) == [code] * len(ports)

    await eventually(lambda: all_are("/readyz", 200), seconds=30, what="ready before")
    os.kill(pid, signal.SIGSTOP)
    try:
        await eventually(lambda: all_are("/readyz", 503), seconds=5, what="not ready while it stands still")
        assert await codes("/livez") == [200] * len(ports)
    finally:
        os.kill(pid, signal.SIGCONT)
    await eventually(lambda: all_are("/readyz", 200), seconds=10, what="ready again")


async def test_a_withdrawal_reaches_every_channel(built: Stack, line: Line) -> None:
    author = await Volunteer.register(line, name="Elçin", country="TR", languages=["tr"])
    moderator = Staff(line, built.staff("moderator", "Mehmet"))
    sent = await author.submit(item(author, title="Köprüde bir akşam", language="tr"))
    await approved(moderator, sent["submission_id"])
    await published(author, sent["submission_id"])
    await author.withdraw(sent["submission_id"], "I changed my mind")

    async def gone() -> bool:
        ledger = await author.ledger(sent["submission_id"])
        return ledger["state"] == "withdrawn" and {d["state"] for d in ledger["deliveries"]} == {"removed"}

    await eventually(gone, seconds=40, what="withdrawn everywhere")
    assert [p for p in built.timeline() if "Köprüde bir akşam" in p["text"]] == []


async def test_every_service_shows_its_figures_to_prometheus(built: Stack) -> None:
    async with httpx.AsyncClient() as client:
        for name in ("ingest", "moderation", "publisher", "metrics"):
            text = (await client.get(f"http://127.0.0.1:{built.port(name)}/metrics")).text
            assert f"konullu_{name}_" in text, name
            assert "konullu_events_published_total" in text
            assert (await client.get(f"{built.url}/metrics")).status_code == 404
