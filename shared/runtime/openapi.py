"""What every OpenAPI document of ours says beside what FastAPI knows: who may call, and which refusals come.

A route names the refusals of its own by `shared.http.models.refused`; what the middleware, the guard and the reading of
bodies answer is added here, from what the route is made of.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from shared.http.models import REFUSALS, ProblemAnswer, refused
from shared.identity.tokens import COOKIE, SAFE_METHODS, Guard, Required

PROBLEM: Final = "application/problem+json"
SCHEMES: Final[dict[str, Any]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token from ingest.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A browser's session. What changes something also needs the header X-CSRF-Token.",
    },
}
_FRAMEWORKS_OWN: Final = ("HTTPValidationError", "ValidationError")
_PROBLEM_SCHEMA: Final = {"$ref": "#/components/schemas/ProblemAnswer"}
_FIRST_REFUSAL: Final = 400


def described(app: FastAPI, plain: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The document of an application, of which `plain` gives what the framework itself knows."""
    document = plain()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FRAMEWORKS_OWN:
        schemas.pop(name, None)
    problem = ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {})
    schemas["ProblemAnswer"] = problem
    document["components"]["securitySchemes"] = SCHEMES
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _complete(document["paths"][route.path_format][method.lower()], method, route)
    return document


def _complete(operation: dict[str, Any], method: str, route: RouteContext) -> None:
    responses = operation["responses"]
    guards = list(_guards(route.dependant))
    statuses = [400, 503]
    if guards:
        roles = sorted({role for guard in guards for role in guard})
        operation["security"] = [{name: roles} for name in SCHEMES]
        statuses += [401, 403] if roles or method not in SAFE_METHODS else [401]
    if "requestBody" in operation:
        statuses += [413, 422]
    if method not in SAFE_METHODS:
        statuses += [409, 413]
    if "{" in (route.path_format or ""):
        statuses.append(404)
    for status, answer in refused(*statuses).items():
        responses.setdefault(str(status), answer)
    for status in [each for each in responses if int(each) >= _FIRST_REFUSAL]:
        content = {} if method == "HEAD" else {PROBLEM: {"schema": _PROBLEM_SCHEMA}}
        responses[status] = {"description": REFUSALS[int(status)], "content": content}
    operation["responses"] = dict(sorted(responses.items()))


def _guards(dependant: Dependant) -> Iterator[Sequence[str]]:
    """The roles of each guard that a route asks, directly or through other dependencies; none where any will do."""
    for inner in dependant.dependencies:
        if isinstance(inner.call, Required):
            yield inner.call.roles
        elif isinstance(getattr(inner.call, "__self__", None), Guard):
            yield ()
        yield from _guards(inner)
