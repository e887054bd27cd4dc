"""The real gateway alone, with its deployed file, and one server behind it that writes down what reaches it."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.processes import BIN, BUSY, ROOT, Server, free_port

PATIENCE = 20.0


@dataclass(frozen=True)
class Reached:
    """One request as it reached the server behind the gateway."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Behind:
    """A server that stands for every service and for the object store. `status` and `kind` are what it answers."""

    reached: list[Reached] = field(default_factory=list)
    status: int = 200
    kind: str = "text/html"

    @contextmanager
    def listening(self) -> Iterator[int]:
        """The port it listens on, as long as the block runs."""
        behind = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                behind.reached.append(Reached(self.command, self.path, dict(self.headers), body))
                if len(body) < int(self.headers.get("Content-Length", 0)):
                    return
                self.send_response(behind.status)
                self.send_header("Content-Type", behind.kind)
                self.send_header("X-Amz-Request-Id", "1")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok" if self.command != "HEAD" else b"")

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the base class's names

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()
            thread.join(PATIENCE)


@contextmanager
def gateway(folder: Path, behind: int, **environment: str) -> Iterator[Server]:
    """Caddy with the deployed file; `environment` is what a deployment sets besides addresses."""
    port = free_port()
    services = ("INGEST", "MODERATION", "PUBLISHER", "METRICS", "SITE_STORE_ADDRESS")
    state = folder / "state"
    server = Server(
        [
            str(BIN / "caddy"),
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            str(ROOT / "deploy/caddy/Caddyfile"),
        ],
        f"http://127.0.0.1:{port}",
        port,
        folder / "gateway.log",
        {
            "XDG_DATA_HOME": str(state),
            "XDG_CONFIG_HOME": str(state),
            "GATEWAY_STATE": str(state),
            "GATEWAY_ADDRESS": f"http://:{port}",
            **{f"GATEWAY_{name}": f"127.0.0.1:{behind}" for name in services},
            **{name: value.replace("{port}", str(port)) for name, value in environment.items()},
        },
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


def raw(port: int, *parts: bytes) -> bytes:
    """Send bytes as they are, and hear everything until the other side hangs up or has nothing more to say."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE * BUSY) as line:
        for part in parts:
            line.sendall(part)
        heard = b""
        while piece := line.recv(65536):
            heard += piece
        return heard
