"""The real gateway with its deployed file: what it lets through, what it keeps back, and how long it waits."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.gateway import PATIENCE, Behind, gateway, raw
from tests.support.processes import BUSY, Server, free_port, until

TLS = {
    "GATEWAY_ADDRESS": "https://konullu.test:{port}",
    "GATEWAY_NAME": "konullu.test",
    "GATEWAY_TLS": "own_authority",
}
LEAVING = "HTTP/1.1\r\nHost: konullu.test\r\nConnection: close\r\n\r\n"


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def port(behind: Behind) -> Iterator[int]:
    with behind.listening() as listening:
        yield listening


@pytest.fixture
def plain(tmp_path: Path, port: int) -> Iterator[Server]:
    """As on one machine, but impatient."""
    with gateway(tmp_path, port, GATEWAY_HEADER_TIME="1s", GATEWAY_STALL_TIME="1s") as started:
        yield started


@pytest.fixture
def from_store(tmp_path: Path, port: int) -> Iterator[Server]:
    """With the public site in the object store."""
    with gateway(tmp_path, port, GATEWAY_SITE="site_in_store") as started:
        yield started


def test_a_public_name_is_reached_over_https_alone(tmp_path: Path, port: int) -> None:
    http = free_port()
    with gateway(tmp_path, port, **TLS, GATEWAY_FROM_HTTP="to_https", GATEWAY_HTTP_PORT=str(http)) as started:
        answers = [
            httpx.get(f"http://127.0.0.1:{http}/az/?page=2", headers={"Host": name})
            for name in ("konullu.test", "elsewhere.example")
        ]
        program = httpx.post(f"http://127.0.0.1:{http}/api/ingest/v1/submissions", json={})

    for answer in answers:
        assert answer.status_code == httpx.codes.PERMANENT_REDIRECT
        assert answer.headers["Location"] == f"https://konullu.test:{started.port}/az/?page=2"
    assert program.status_code == httpx.codes.FORBIDDEN


def test_plain_http_on_the_port_of_tls_is_sent_to_https(tmp_path: Path, port: int, behind: Behind) -> None:
    with gateway(tmp_path, port, **TLS, GATEWAY_LISTENER="plain_is_redirected") as started:
        name = f"konullu.test:{started.port}"
        answer = httpx.get(f"{started.url}/send?lang=az", headers={"Host": name})
        trust = ssl.create_default_context(cafile=tmp_path / "state/pki/authorities/local/root.crt")
        with httpx.Client(verify=trust) as phone:
            over_tls = phone.get(
                f"https://127.0.0.1:{started.port}/send",
                headers={"Host": name},
                extensions={"sni_hostname": "konullu.test"},
            )

    assert answer.is_redirect
    assert answer.headers["Location"] == f"https://{name}/send?lang=az"
    assert over_tls.status_code == httpx.codes.OK
    assert "max-age=" in over_tls.headers["Strict-Transport-Security"]
    assert [each.target for each in behind.reached] == ["/send"]


def test_https_is_not_demanded_where_there_is_none(plain: Server) -> None:
    assert "Strict-Transport-Security" not in httpx.get(f"{plain.url}/send").headers


def test_whoever_never_ends_their_headers_is_cut_off(plain: Server, behind: Behind) -> None:
    heard = raw(plain.port, b"GET /send HTTP/1.1\r\nHost: x\r\nX-Slow: ")

    assert b" 200 " not in heard
    assert behind.reached == []


@pytest.mark.parametrize("path", ["/api/ingest/v1/submissions", "/api/ingest/v1/uploads/abc"])
@pytest.mark.parametrize("creeping", [False, True], ids=["stands still", "creeps"])
def test_a_body_without_progress_holds_up_no_service(
    plain: Server, behind: Behind, path: str, creeping: bool
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", plain.port), timeout=PATIENCE) as line:
        line.sendall(head.encode())

        def let_go() -> bool:
            if creeping:
                with suppress(OSError):  # hung up already
                    line.sendall(b"x")
            return len(behind.reached) > 0

        until(let_go, seconds=PATIENCE, what="the service to be let go")

    (reached,) = behind.reached
    assert 0 < len(reached.body) < 1_000_000


def test_a_slow_line_that_goes_on_is_not_hurt(plain: Server, behind: Behind) -> None:
    pieces = [b"x" * 4000] * 8
    head = f"PATCH /api/ingest/v1/uploads/abc HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {32_000}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", plain.port), timeout=PATIENCE * BUSY) as line:
        line.sendall(head.encode())
        for piece in pieces:  # two seconds in all: longer than the gateway waits for one that stands still
            time.sleep(0.25)
            line.sendall(piece)
        heard = line.recv(65536)

    assert b" 200 " in heard
    assert [len(each.body) for each in behind.reached] == [32_000]


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/api/ingest/v1/submissions", 3_900_000, 200),
        ("/api/ingest/v1/submissions", 4_100_000, 413),
        ("/send", 4_100_000, 413),
        ("/api/moderation/v1/decisions", 4_100_000, 413),
        ("/api/ingest/v1/uploads/abc", 4_100_000, 200),
    ],
)
def test_bodies_are_bounded_where_they_are_no_uploads(
    plain: Server, path: str, size: int, status: int
) -> None:
    assert httpx.post(f"{plain.url}{path}", content=bytes(size)).status_code == status


@pytest.mark.parametrize("path", ["/", "/send", "/api/ingest/v1/submissions"])
def test_no_request_is_echoed(plain: Server, behind: Behind, path: str) -> None:
    assert httpx.request("TRACE", f"{plain.url}{path}").status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert behind.reached == []


def test_a_service_without_a_free_connection_is_explained(plain: Server, behind: Behind) -> None:
    behind.status, behind.kind = 503, "text/plain; charset=utf-8"

    program = httpx.get(f"{plain.url}/api/ingest/v1/submissions")
    person = httpx.get(f"{plain.url}/send")

    assert program.status_code == person.status_code == 503
    assert json.loads(program.text)["type"] == "urn:konullu:problem:unavailable"
    assert program.headers["Cache-Control"] == "no-store"
    assert "try again" in person.text
    assert person.headers["Retry-After"] == "2"


def test_what_a_service_says_itself_is_left_alone(plain: Server, behind: Behind) -> None:
    behind.status, behind.kind = 503, "application/problem+json"

    assert httpx.get(f"{plain.url}/api/ingest/v1/submissions").text == "ok"


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        ("/", "/konullu/site/index.html"),
        ("/az/", "/konullu/site/az/index.html"),
        ("/az/abcdefghij/", "/konullu/site/az/abcdefghij/index.html"),
        ("/media/0f-480.jpg", "/konullu/site/media/0f-480.jpg"),
        ("/tags/xal%C3%A7a/", "/konullu/site/tags/xal%C3%A7a/index.html"),
        ("/az/?lang=tr", "/konullu/site/az/index.html"),
        ("/media/a.jpg?response-content-type=text/html&acl", "/konullu/site/media/a.jpg"),
    ],
)
def test_the_store_is_asked_for_what_the_site_has(
    from_store: Server, behind: Behind, target: str, reached: str
) -> None:
    assert b" 200 " in raw(from_store.port, f"GET {target} {LEAVING}".encode())
    assert [each.target for each in behind.reached] == [reached]


@pytest.mark.parametrize(
    "target",
    [
        "/../clean/0f",
        "/az/../../clean/0f",
        "/az/../../../konullu/clean/0f",
        "/%2e%2e/clean/0f",
        "/%2E%2E%2Fclean/0f",
        "/az/..%2f..%2fclean/0f",
        "/az/.%2e/.%2e/clean/0f",
        "/..;/clean/0f",
        "/az/%252e%252e/clean/0f",
        "/az\\..\\..\\clean",
        "/az%5c..%5cclean",
        "//clean/0f",
        "/az//0f",
        "/_items/abc/az/1-x.json",
        "/%5Fitems/abc/az/1-x.json",
        "/az/%00",
        "/az/x%23y",
        "/az/x%3Fpolicy",
        "/az/.git/config",
    ],
)
def test_no_address_leads_out_of_the_site(from_store: Server, behind: Behind, target: str) -> None:
    heard = raw(from_store.port, f"GET {target} {LEAVING}".encode())

    allowed = {"/konullu/site/404.html"}
    assert {each.target for each in behind.reached} <= allowed, heard
    assert b" 200 " not in heard


def test_nothing_that_a_person_carries_reaches_the_store(from_store: Server, behind: Behind) -> None:
    carried = {
        "Cookie": "session=secret",
        "Authorization": "Bearer secret",
        "Proxy-Authorization": "Basic secret",
        "X-Amz-Security-Token": "secret",
        "X-Amz-Copy-Source": "konullu/quarantine/secret",
    }

    answer = httpx.get(f"{from_store.url}/az/", headers=carried)

    (reached,) = behind.reached
    assert not {name.lower() for name in reached.headers} & {name.lower() for name in carried}
    assert "secret" not in str(reached.headers)
    assert "X-Amz-Request-Id" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_nobody_writes_through_the_gateway(from_store: Server, behind: Behind, method: str) -> None:
    answer = httpx.request(method, f"{from_store.url}/az/index.html", content=b"<script>")

    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert behind.reached == []
