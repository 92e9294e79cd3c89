"""FastAPI: routes that answer a failed flow with its record. The extra `fastapi` installs the framework.

    router = APIRouter(route_class=FlowRoute)

A handler that is annotated `-> FlowRun[R]` may return the executed `Flow`: it is validated as its record, without
anything of this module.
"""

from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from .. import FlowRun, ParameterError, RunStatus

__all__ = ["FlowRoute", "flow_error_handler"]

_FAILED: Final = 500
_TIMED_OUT: Final = 504
_BAD_PARAMETER: Final = 422


class FlowRoute(APIRoute):
    """A route that answers a failed flow with its record as JSON, instead of a bare "Internal Server Error".

    The status code is 504 for a flow that has timed out, 422 for a `ParameterError`, and 500 for every other failure. A
    `ParameterError` of a flow that has not started has no record: its answer has the form of FastAPI's own 422, without
    the value.

    Exceptions go through the dependencies with `yield` first, so that these roll back. An `HTTPException`, and every
    exception for whose class the app has a handler of its own, is answered as in other routes; so is an exception of no
    flow. The error is in the record that the client gets, and nothing is logged.

    The record is written with the `response_model_include`, `response_model_exclude` and the like of the route, if its
    response model is a `FlowRun`. It holds tracebacks and inputs: leave out what clients must not see, as with
    `response_model_exclude={"error": {"traceback"}, "tasks": {"__all__": {"error"}}}`.

    Use it as `APIRouter(route_class=FlowRoute)`, or set `app.router.route_class = FlowRoute` before the routes.
    """

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; if a flow fails before the response has started, answer with its record."""
        has_started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await super().handle(scope, receive, send_noting_start)
        except Exception as error:
            response = None if has_started else _response(error, self._record_options())
            if response is None:
                raise
            await response(scope, receive, send)

    def _record_options(self) -> dict[str, Any]:
        """The options of the route for writing a `FlowRun`."""
        model: object = self.response_model
        if not isinstance(model, type) or not issubclass(model, FlowRun):
            return {}
        return {
            "include": self.response_model_include,
            "exclude": self.response_model_exclude,
            "by_alias": self.response_model_by_alias,
            "exclude_defaults": self.response_model_exclude_defaults,
            "exclude_none": self.response_model_exclude_none,
        }


async def flow_error_handler(request: Request, error: Exception) -> Response:  # noqa: ARG001 - of the signature
    """Answer a failed flow with its record; for `app.add_exception_handler(ValueError, flow_error_handler)`.

    The status codes are those of `FlowRoute`. The answer to an exception of no flow is "Internal Server Error", with 500.

    Starlette treats two kinds of classes differently. For a class of your own, or one like `ValueError`, the handler's
    answer is all that happens. For `Exception` itself (or 500), Starlette sends the answer and then raises the exception
    once more, so that the server logs its traceback, and a `TestClient` raises it unless it is made with
    `raise_server_exceptions=False`. `FlowRoute` has no such second life of the exception.

    Args:
        request: The request.
        error: The exception of its handler.
    """
    response = _response(error, {})
    return PlainTextResponse("Internal Server Error", status_code=_FAILED) if response is None else response


def _response(error: Exception, options: dict[str, Any]) -> Response | None:
    """The answer to an exception; None if no flow has ended with it."""
    record = FlowRun.from_error(error)
    if record is None:
        return _bad_parameter(error) if isinstance(error, ParameterError) else None
    content = record.model_dump_json(**options).encode()
    return Response(content, status_code=_status_code(error, record), media_type="application/json")


def _status_code(error: Exception, record: FlowRun[Any]) -> int:
    if isinstance(error, ParameterError):
        return _BAD_PARAMETER
    return _TIMED_OUT if record.status is RunStatus.TIMED_OUT else _FAILED


def _bad_parameter(error: ParameterError) -> Response:
    detail = {"type": "parameter_error", "loc": [error.function, error.parameter], "msg": error.reason}
    return JSONResponse({"detail": [detail]}, status_code=_BAD_PARAMETER)
