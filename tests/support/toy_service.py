"""Answers every path with its name and the path. `TOY_DEAF=name` makes the one of that name ignore SIGTERM."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{sys.argv[2]} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    if os.environ.get("TOY_DEAF") == sys.argv[2]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.environ.get("TOY_REFUSES") == sys.argv[2]:
        sys.stderr.write("campaign.yaml, line 7: unknown language 'xx-invalid'\n")
        sys.exit(78)
    ThreadingHTTPServer(("127.0.0.1", urlsplit(sys.argv[1]).port or 0), Echo).serve_forever()
