"""Every place of a request that an OpenAPI document names, and values at the edge of what it may hold.

Nothing here knows an operation: a new one, or a new field, is found in the documents and tried by itself.
"""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from shared.http.cursors import closed

DOCS: Final = Path(__file__).parents[2] / "docs" / "openapi"
DEEP: Final = 3_000
TECHNICAL: Final = ("/docs", "/redoc", "/livez", "/readyz", "/metrics", "/v1/")
"""Where routes are that are no pages."""

NUMBERS: Final = (
    *("0", "-1", "-0.0", "1.5", "1e400", "-1e400", "NaN", "Infinity", "true", "null", '"1"', '"\\u0663"'),
    *map(str, (2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30)),
    "9" * 5000,
)
"""JSON."""
MOMENTS: Final = (
    *(
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:60Z",
        "10000-01-01T00:00:00Z",
    ),
    *(
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00+99:99",
        "2026-01-01T00:00:00.9999999999Z",
    ),
    *(
        "0000-00-00",
        "0001-01-01",
        "9999-12-31",
        "٢٠٢٦-٠١-٠١",
        "-2026-01-01T00:00:00Z",
        "2026-W01-1",
        "20260101T00Z",
    ),
)
TEXTS: Final = (
    *(
        "",
        " ",
        "\x00",
        "\x7f",
        "a\r\nb",
        "\u2028",
        "\u200b",
        "\u202e",
        "\ud800",
        "\udfff\ud800",
        "\U0010ffff",
        "e\u0301" * 50,
    ),
    *(
        "//[foo",
        "http://[",
        "https://[::1",
        "http://x:99999/",
        "https://a@b:c@d/",
        "/\\elsewhere",
        "javascript:x",
        "tg://[",
    ),
    *(
        "٣",
        "１２",
        "²",
        "-1",
        "NaN",
        "1e400",
        "99999999999999999999999",
        str(2**63),
        "0x10",
        "true",
        "null",
        "None",
    ),
    *(
        "..",
        "../../x",
        "a/b",
        "%",
        "%00",
        "%ff",
        "$where",
        "a.b.$c",
        "{}",
        "[]",
        "'\"<b>",
        "a~b",
        "~",
        "+",
        ";",
        "=",
    ),
    *(
        "A" * 300,
        "A" * 5000,
        "ə" * 5000,
        "0001-01-01T00:00:00+14:00~x",
        "9999-12-31T23:59:59-14:00/x",
        "2026~",
    ),
    *(
        closed(10**30),
        closed(-(2**70)),
        closed("x", 10**30),
        closed("x"),
        closed("\ud800", 1),
        "bnVsbA==",
        "W1tbW1tb",
        "é" * 9,
    ),
    *("az-" + "x" * 5000, "tlh", "i-klingon", "xx", "AZ", "#a·b", "צה״ל"),
)
HEADERS: Final[Mapping[str, Sequence[bytes]]] = {
    "Accept": (b"", b"*/*;q=nan", b"text/html", b"\xff"),
    "Accept-Language": (
        b"",
        b"*;q=1e400",
        b"az;q=nan",
        b"\xc9\x99",
        b"a" * 3000,
        b"x-;;q=,,",
        "az;q=٣".encode(),
    ),
    "Authorization": (
        b"",
        b"Bearer",
        b"Bearer \xc9",
        b"Bearer a.b.c",
        b"Basic \xff",
        b"Bearer e30.e30.e30",
        b"bearer " + b"." * 3000,
    ),
    "Content-Type": (
        b"",
        b"\xff",
        b"application/json; charset=nothing",
        b"multipart/form-data",
        b"multipart/form-data; boundary=\xc9",
    ),
    "Cookie": (
        b"=",
        b"__Host-konullu=\xff",
        b"__Host-konullu=",
        b'__Host-konullu="a\\054b',
        b"; ;" * 500,
        b"lang=\xc9; konullu_language=zz",
    ),
    "Expect": (b"200-ok",),
    "If-Modified-Since": (b"\xff", b"Mon, 99 Foo 99999 99:99:99 GMT"),
    "If-None-Match": (b"\xff", b"W/"),
    "Idempotency-Key": (b"\xff", b"", b"k" * 3000),
    "Origin": (b"http://[foo", b"null", b"\xff", b"//", b"http://x:99999"),
    "Range": (
        b"bytes=0-99999999999999999999999",
        b"bytes=-",
        "bytes=٣-".encode(),
        b"bytes=9-1",
        b"\xff",
        b"bytes=-" + b"9" * 5000,
    ),
    "Sec-Fetch-Site": (b"cross-site", b"\xff"),
    "Upload-Length": (b"-1", b"1e9", "٣".encode(), b"9" * 30),
    "X-CSRF-Token": (b"\xff", b"", b"a" * 3000),
    "X-Forwarded-For": (b"nobody", b"[::1", b"\xff", b"1.2.3.4, , 5"),
    "X-HTTP-Method-Override": (b"\xff", b"CONNECT"),
    "X-Renewal": (b"\xff",),
    "traceparent": (b"00-zz-zz-zz", b"\xff", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00"),
}
"""What any request may carry, whether its operation reads it or not."""
ONE_EACH: Final = frozenset(
    {"Authorization", "Cookie", "Idempotency-Key", "Origin", "Range", "Upload-Length", "X-CSRF-Token"}
)
"""Those that are sent twice, too."""
THIN: Final = 4
BODIES: Final = (
    *(
        b"",
        b"null",
        b"[]",
        b"0",
        b'"x"',
        b"{",
        b"{}",
        b'{"a":1,"a":2}',
        b'{"\\ud800": "\\udfff"}',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
    ),
    *(
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' + b"9" * 5000 + b"}",
        b"NaN",
        b'{"title": "\xed\xa0\x80"}',
    ),
)

Where = Literal["path", "query", "header"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as the document names it."""

    where: Where
    name: str
    schema: Mapping[str, Any] = field(compare=False)
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the document names it, its schemas with every reference followed."""

    service: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    kind: str | None
    """The kind of its body."""
    body: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Request:
    """One to be sent as it is."""

    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes | None = None

    def __str__(self) -> str:
        shown = [
            f"{self.method} {self.target[:200]}",
            *(f"{name}: {value[:60]!r}" for name, value in self.headers),
        ]
        return f"{' | '.join(shown)} | {(self.body or b'')[:200]!r}"


def operations(service: str) -> list[Operation]:
    """All of a service's."""
    document = json.loads((DOCS / f"{service}.json").read_text())
    return [
        _operation(service, method.upper(), path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _operation(
    service: str, method: str, path: str, told: Mapping[str, Any], document: Mapping[str, Any]
) -> Operation:
    parameters = tuple(
        Parameter(each["in"], each["name"], resolved(each["schema"], document), each.get("required", False))
        for each in told.get("parameters", ())
    )
    content = told.get("requestBody", {}).get("content", {})
    kind = next(iter(content), None)
    body = resolved(content[kind]["schema"], document) if kind else {}
    return Operation(service, method, path, parameters, kind, body)


def resolved(schema: Any, document: Mapping[str, Any]) -> Any:
    """A schema with every reference followed."""
    if isinstance(schema, list):
        return [resolved(each, document) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    return {name: resolved(each, document) for name, each in schema.items()}


def sample(schema: Mapping[str, Any], name: str, known: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one line per kind
    """A value that fits; of objects also the optional fields of which a value is known."""
    if name in known:
        return known[name]
    for choice in ("const", "enum", "anyOf", "oneOf"):
        if choice in schema:
            first = schema[choice] if choice == "const" else schema[choice][0]
            return sample(first, name, known) if choice.endswith("Of") else first
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            wanted = [each for each in fields if each in schema.get("required", ()) or each in known]
            return {each: sample(fields[each], each, known) for each in wanted}
        case "array":
            return [sample(schema.get("items", {}), name, known)] if name in known else []
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return False
        case _:
            return "x" * max(1, schema.get("minLength", 1))


def fields(
    schema: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every field of a body, those in fields too, with its schema."""
    for choice in schema.get("anyOf", ()):
        yield from fields(choice, path)
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name), inner
        yield from fields(inner, (*path, name))
        for item in (inner, *inner.get("anyOf", ())):
            if item.get("type") == "array":
                yield (*path, name, "0"), item.get("items", {})
                yield from fields(item.get("items", {}), (*path, name, "0"))


def edges_of(schema: Mapping[str, Any]) -> Iterator[str]:
    """JSON at the edge of what a field of this kind may hold, and of other kinds."""
    told = json.dumps(schema)
    if '"integer"' in told or '"number"' in told:
        yield from NUMBERS
    if "date" in told:
        yield from map(json.dumps, MOMENTS)
    if '"string"' in told or not schema.get("type"):
        yield from map(json.dumps, TEXTS)
    yield from (
        "null",
        "true",
        "0",
        "1e400",
        str(2**70),
        "[]",
        "{}",
        '[""]',
        '{"": null}',
        '"x"',
        "[" * DEEP + "]" * DEEP,
    )


def with_field(body: Any, path: Sequence[str], fragment: str) -> bytes:
    """The body as JSON, with a fragment of JSON in the place of one field."""
    mark = "\x01here\x01"
    whole = json.loads(json.dumps(body))
    inner = whole
    for name in path[:-1]:
        if isinstance(inner, dict):
            inner = (
                inner.setdefault(name, {}) if not isinstance(inner.get(name), dict | list) else inner[name]
            )
        elif isinstance(inner, list):
            if not inner:
                inner.append({})
            inner = inner[0]
    if isinstance(inner, list):
        inner[:1] = [mark]
    elif isinstance(inner, dict):
        inner[path[-1]] = [mark] if path[-1] == "0" else mark
    return json.dumps(whole).replace(json.dumps(mark), fragment).encode()


def raw(text: str) -> bytes:
    """A text in UTF-8, half characters as programs write them that know no better."""
    return text.encode("utf-8", "surrogatepass")


def in_header(text: str) -> bytes:
    """A text as it may stand in a header."""
    return raw(text.translate({0: None, 10: None, 13: None}))


def requests(  # noqa: C901, PLR0912 - a table of places, one after the other
    operation: Operation, known: Mapping[str, Any], headers: Mapping[str, bytes]
) -> Iterator[Request]:
    """The operation with a value at the edge in one place after the other."""
    plain = {
        each: str(sample(each.schema, each.name, known)) for each in operation.parameters if each.required
    }
    content = sample(operation.body, "", known) if operation.kind == "application/json" else None
    body = None if content is None else json.dumps(content).encode()
    if operation.kind is not None and content is None:
        body = b"x"

    def request(
        changed: Mapping[Parameter, str] | None = None, *more: tuple[str, bytes], body: bytes | None = body
    ) -> Request:
        values = {**plain, **(changed or {})}
        path, query = operation.path, []
        sent = {"Content-Type": (operation.kind or "").encode()} if operation.kind else {}
        sent |= headers
        for parameter, value in values.items():
            if parameter.where == "path":
                path = path.replace(f"{{{parameter.name}}}", quote(raw(value), safe=""))
            elif parameter.where == "query":
                query.append(f"{quote(parameter.name)}={quote(raw(value), safe='')}")
            else:
                sent[parameter.name] = in_header(value)
        for name, _ in more:
            sent.pop(name, None)
        target = f"{path}?{'&'.join(query)}" if query else path
        return Request(operation.method, target, (*sent.items(), *more), body)

    yield request()
    for parameter in operation.parameters:
        for edge in (*TEXTS, *MOMENTS, *(each.strip('"') for each in NUMBERS)):
            yield request({parameter: edge})
        if parameter.where == "header":
            yield request({}, (parameter.name, b"x"), (parameter.name, b"y"))
        if parameter.where == "query":
            whole = request({parameter: "x"})
            yield Request(
                whole.method,
                f"{whole.target}&{parameter.name}=y&{parameter.name}=%ff%fe",
                whole.headers,
                body,
            )
    for number, (name, value) in enumerate(
        (name, value) for name, values in HEADERS.items() for value in values
    ):
        if number % THIN == len(operation.path) % THIN:  # the same for all operations, so each tries some
            yield request({}, (name, value))
    for name in HEADERS:
        if name in ONE_EACH:
            yield request({}, (name, headers.get(name, b"x")), (name, b"x"))
    if operation.kind == "application/json":
        for path, schema in fields(operation.body):
            for edge in edges_of(schema):
                yield request(body=with_field(content, path, edge))
    if operation.kind is not None or operation.method in {"PUT", "DELETE"}:
        for content_ in BODIES:
            yield request({}, ("Content-Type", b"application/json"), body=content_)


class NotServed(Exception):
    """What was wrong with an answer, or with the one after it on the same connection."""


class Kept:
    """One connection, kept over all requests. `then` is a path that answers 200."""

    def __init__(self, port: int, then: str, prefix: str = "") -> None:
        self._port, self._then, self._prefix = port, then, prefix
        self._http = self._opened()

    def _opened(self) -> http.client.HTTPConnection:
        opened = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        opened.connect()
        opened.auto_open = 0
        return opened

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def ask(self, request: Request) -> tuple[int, str, bytes]:
        """Status, kind and content of the answer. Raises `NotServed` for 5xx, and where the next request is not served."""
        status, headers, content = self._send(request)
        kind = headers.get("content-type", "").partition(";")[0]
        if status >= http.client.INTERNAL_SERVER_ERROR:
            raise NotServed(f"{status} {content[:300]!r}")
        if "close" in headers.get("connection", "").lower():
            by_parser = status == http.client.BAD_REQUEST and kind != "application/problem+json"
            if status != http.client.REQUEST_ENTITY_TOO_LARGE and not by_parser:
                raise NotServed(f"{status} and the connection is closed")
            self._http.close()
            self._http = self._opened()
        after, _, _ = self._send(Request("GET", self._then), prefixed=False)
        if after != http.client.OK:
            raise NotServed(f"{status}, and the next request on the same connection got {after}")
        return status, kind, content

    def _send(self, request: Request, *, prefixed: bool = True) -> tuple[int, Mapping[str, str], bytes]:
        try:
            target = self._prefix + request.target if prefixed else request.target
            self._http.putrequest(request.method, target, skip_accept_encoding=True)
            for name, value in request.headers:
                self._http.putheader(name, value)
            if request.body is not None:
                self._http.putheader("Content-Length", str(len(request.body)))
            self._http.endheaders(request.body)
            answer = self._http.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (http.client.HTTPException, OSError) as error:
            self._http.close()
            self._http = self._opened()
            raise NotServed(f"no answer: {error!r}") from error


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A route for people, with the names of what it reads from its query and its form."""

    method: str
    path: str
    query: tuple[str, ...]
    form: tuple[str, ...]


def page_routes(app: FastAPI) -> list[PageRoute]:
    """All routes of an application that are in no document, but static files."""
    return [
        PageRoute(
            method,
            str(route.path_format),
            _names(route.dependant, "query_params"),
            _names(route.dependant, "body_params"),
        )
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and not route.include_in_schema
        for method in route.methods or ()
        if "{name" not in (route.path_format or "") and not (route.path_format or "").startswith(TECHNICAL)
    ]


def _names(dependant: Dependant, kind: str) -> tuple[str, ...]:
    own = tuple(each.alias for each in getattr(dependant, kind))
    return (*own, *(name for inner in dependant.dependencies for name in _names(inner, kind)))
