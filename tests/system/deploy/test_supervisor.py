"""The supervisor, seen from a terminal: real engines, a real gateway, toy services."""

import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pymongo
import pytest

from shared.settings import embedded_database
from tests.support.processes import BUSY, ROOT, until
from tests.support.supervised import PATIENCE, TOY, Supervised, alive

NAMES = {"nats", "database", "ingest", "moderation", "publisher", "metrics", "gateway"}
Make = Callable[..., Supervised]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Supervised] = []

    def one(name: str = "könüllü home", **environment: str) -> Supervised:
        made.append(Supervised(tmp_path / name, TOY, environment))
        return made[-1]

    yield one
    for stack in made:
        stack.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """One stack for all tests that leave it as they found it: everything ready, whatever was killed in between."""
    stack = Supervised(tmp_path_factory.mktemp("shared") / "könüllü home", TOY).up()
    yield stack
    stack.end()


def test_everything_comes_up_and_its_addresses_are_told(shared: Supervised) -> None:
    stack = shared

    assert stack.pids().keys() == NAMES
    assert {each["state"] for each in stack.processes().values()} == {"ready"}
    for path in ("/send", "/desk/moderation", "/desk/publisher", "/reach"):
        assert f"http://localhost:{stack.base}{path}" in stack.said()
    assert stack.home.stat().st_mode & 0o777 == 0o700


def test_the_gateway_routes_what_is_public_and_nothing_else(shared: Supervised) -> None:
    stack = shared

    answers = {
        path: httpx.get(f"{stack.url}{path}").text
        for path in (
            "/send/new?lang=az",
            "/sign-in",
            "/desk/moderation/cases",
            "/desk/publisher",
            "/reach",
            "/r/abcdefghij",
            "/api/ingest/v1/submissions",
            "/api/metrics/v1/campaign",
        )
    }
    hidden = [
        httpx.get(f"{stack.url}{path}").status_code
        for path in (
            "/metrics",
            "/readyz",
            "/api/ingest/metrics",
            "/api/publisher/livez",
            "/api/metrics/readyz",
        )
    ]

    assert answers == {
        "/send/new?lang=az": "ingest /send/new?lang=az",
        "/sign-in": "ingest /sign-in",
        "/desk/moderation/cases": "moderation /desk/moderation/cases",
        "/desk/publisher": "publisher /desk/publisher",
        "/reach": "metrics /reach",
        "/r/abcdefghij": "metrics /r/abcdefghij",
        "/api/ingest/v1/submissions": "ingest /v1/submissions",
        "/api/metrics/v1/campaign": "metrics /v1/campaign",
    }
    assert hidden == [404] * len(hidden)


def test_the_gateway_serves_the_sites_files(shared: Supervised) -> None:
    stack = shared
    page = stack.home / "media/site/az/index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>Novruz</h1>")

    answer = httpx.get(f"{stack.url}/az/")

    assert answer.text == "<h1>Novruz</h1>"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_second_stack_on_the_same_home_is_refused_with_the_reason(shared: Supervised) -> None:
    first = shared
    second = Supervised(first.home, TOY)
    second.log = first.home.with_name("second.out")

    status = second.start().wait(30)

    assert status == 1
    assert first.process is not None
    assert str(first.process.pid) in second.said()
    assert "make down" in second.said()
    assert {each["state"] for each in first.processes().values()} == {"ready"}


def test_a_busy_port_is_named_with_what_to_do(make: Make) -> None:
    stack = make()
    with socket.create_server(("127.0.0.1", stack.base + 3)):
        status = stack.start().wait(30)

    assert status == 1
    assert f"port {stack.base + 3} (publisher) is taken" in stack.said()
    assert f"KONULLU_PORT_BASE={stack.base + 100}" in stack.said()


def test_a_mistake_in_the_campaign_file_stops_everything_before_it_starts(make: Make, tmp_path: Path) -> None:
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text("name: {en: A}\nlanguages: [xx-nope]\n")
    stack = make(KONULLU_CAMPAIGN=str(campaign))

    status = stack.start().wait(30)

    assert status == 1
    assert f"{campaign}:2:" in stack.said()
    assert "Traceback" not in stack.said()
    assert list((stack.home / "logs").iterdir()) == []


def test_channels_credentials_reach_the_publisher_alone(make: Make, tmp_path: Path) -> None:
    text = (ROOT / "deploy/campaign.yaml").read_text()
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(
        f"{text}  - {{id: partners, kind: webhook, base_url: 'https://partner.example/hook', "
        "credentials: {secret: 'env:PARTNERS_SECRET'}}\n"
    )
    stack = make(KONULLU_CAMPAIGN=str(campaign), PARTNERS_SECRET="whsec_of_the_partners").up()

    holders = {
        name
        for name, pid in stack.pids().items()
        if b"whsec_of_the_partners" in Path(f"/proc/{pid}/environ").read_bytes()
    }

    assert holders == {"publisher"}


def test_a_wrong_configuration_stops_the_start_with_its_line(make: Make) -> None:
    stack = make(TOY_REFUSES="moderation")

    status = stack.start().wait(60)

    assert status == 1
    assert "moderation refuses its configuration" in stack.said()
    assert "campaign.yaml, line 7" in stack.said()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_killed_process_comes_back_by_itself(shared: Supervised, name: str) -> None:
    stack = shared
    before = stack.pids()
    deaths = {each: process["deaths"] for each, process in stack.processes().items()}

    os.kill(before[name], signal.SIGKILL)
    until(
        lambda: stack.pids().get(name, before[name]) != before[name], seconds=PATIENCE, what=f"a new {name}"
    )
    until(lambda: stack.processes()[name]["state"] == "ready", seconds=PATIENCE, what=f"{name} to be ready")

    after = stack.pids()
    assert {each for each in NAMES if after[each] != before[each]} == {name}
    assert {each: process["deaths"] for each, process in stack.processes().items()} == {
        **deaths,
        name: deaths[name] + 1,
    }


def test_one_process_is_restarted_by_order(shared: Supervised) -> None:
    stack = shared
    before, deaths = stack.pids(), stack.processes()["publisher"]["deaths"]

    answer = stack.konullu("restart", "publisher")

    after = stack.pids()
    assert answer.returncode == 0, answer.stderr
    assert {each for each in NAMES if after[each] != before[each]} == {"publisher"}
    publisher = stack.processes()["publisher"]
    assert publisher | {"deaths": deaths, "state": "ready"} == publisher


def test_an_unknown_name_is_refused_with_the_known_ones(shared: Supervised) -> None:
    stack = shared

    answer = stack.konullu("restart", "printer")

    assert answer.returncode == 1
    assert "publisher" in answer.stderr


def test_status_and_down_find_the_stack_by_its_home(make: Make) -> None:
    stack = make().up()
    pids = stack.pids()

    listing = stack.konullu("status").stdout
    stopped = stack.konullu("down")

    assert all(name in listing for name in NAMES)
    assert f":{stack.base}" in listing
    assert stopped.returncode == 0, stopped.stderr
    assert stack.process is not None
    assert stack.process.wait(10) == 0
    assert not any(alive(pid) for pid in pids.values())


def test_ctrl_c_stops_everything_in_time_and_leaves_nothing(make: Make) -> None:
    stack = make(TOY_DEAF="ingest").up()
    pids = stack.pids()

    began = time.monotonic()
    status = stack.interrupt()

    assert status == 0
    # A promise to people, kept even with a process that won't listen; a busy machine stretches it.
    assert time.monotonic() - began < 8 * BUSY
    assert not any(alive(pid) for pid in pids.values())
    assert not (stack.home / "run.json").exists()


def test_a_second_ctrl_c_kills(make: Make) -> None:
    stack = make(TOY_DEAF="ingest").up()
    pids = stack.pids()
    assert stack.process is not None

    stack.process.send_signal(signal.SIGINT)
    until(lambda: not alive(pids["metrics"]), seconds=PATIENCE, what="the stopping to begin")
    assert alive(pids["ingest"])
    impatient = stack.process

    def keep_pressing() -> bool:
        impatient.send_signal(signal.SIGINT)
        return not alive(pids["ingest"])

    until(keep_pressing, seconds=2, what="the kill")
    impatient.wait(10)
    assert not any(alive(pid) for pid in pids.values())


def test_ctrl_c_while_starting_leaves_nothing(make: Make) -> None:
    stack = make()
    stack.start()
    until(
        lambda: (stack.home / "run.json").exists() and "nats" in stack.pids(),
        seconds=PATIENCE,
        what="the broker's start",
    )
    pids = stack.pids()

    stack.interrupt()

    assert not any(alive(pid) for pid in pids.values())


def test_killing_the_supervisor_leaves_no_process(make: Make) -> None:
    stack = make().up()
    pids = stack.pids()

    stack.kill()

    until(lambda: not any(alive(pid) for pid in pids.values()), seconds=5, what="all of them to end")


def test_after_a_kill_of_everything_the_next_start_has_all_data(make: Make) -> None:
    stack = make().up()
    url = embedded_database(stack.base + 11)
    with pymongo.MongoClient[dict[str, object]](url, directConnection=True) as client:
        client["ingest"]["kept"].insert_one({"_id": "receipt", "text": "Çərşənbə"})
    for pid in stack.pids().values():
        os.kill(pid, signal.SIGKILL)
    stack.kill()

    stack.up()

    with pymongo.MongoClient[dict[str, object]](url, directConnection=True) as client:
        assert client["ingest"]["kept"].find_one() == {"_id": "receipt", "text": "Çərşənbə"}


def test_existing_engines_are_used_instead_of_own_ones(make: Make) -> None:
    engines = make("first").up()
    nats, mongo = (engines.processes()[name]["address"] for name in ("nats", "database"))

    stack = make("second", NATS_URL=nats, MONGO_URL=mongo).up()

    assert stack.pids().keys() == NAMES - {"nats", "database"}
    assert stack.record().environment["MONGO_URL"] == mongo


def test_on_the_network_it_speaks_tls_with_its_own_authority(make: Make) -> None:
    stack = make(KONULLU_HOST="konullu.test").up()
    authority = stack.home / "caddy/pki/authorities/local/root.crt"
    trust = ssl.create_default_context(cafile=authority)

    with httpx.Client(verify=trust) as phone:
        answer = phone.get(
            f"https://127.0.0.1:{stack.base}/send",
            extensions={"sni_hostname": "konullu.test"},
            headers={"Host": "konullu.test"},
        )

    assert answer.text == "ingest /send"
    assert f"https://konullu.test:{stack.base}/send" in stack.said()
