"""Routes that answer people: a problem becomes a page."""

from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from shared.failures import Conflict, Unavailable
from shared.http.problems import Problem, contended, unavailable
from shared.storage.mongo import PyMongoError, is_unavailable


def answering_with(page_of: Callable[[Request, Problem], Response]) -> type[APIRoute]:
    """A route class whose problems are shown by `page_of`."""

    class PageRoute(APIRoute):
        """A route that answers a person."""

        def get_route_handler(self) -> Callable[[Request], Any]:
            answer = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    response: Response = await answer(request)
                except Problem as problem:
                    return page_of(request, problem)
                except RequestValidationError as error:
                    return page_of(request, _unreadable(error))
                except Conflict as error:
                    return page_of(request, contended(str(error)))
                except Unavailable:
                    return page_of(request, unavailable("The store"))
                except PyMongoError as error:
                    if not is_unavailable(error):
                        raise
                    return page_of(request, unavailable("The store"))
                return response

            return handler

    return PageRoute


def _unreadable(error: RequestValidationError) -> Problem:
    fields = ", ".join(str(item["loc"][-1]) for item in error.errors())
    return Problem(422, "invalid", f"The form could not be read: {fields}.")
