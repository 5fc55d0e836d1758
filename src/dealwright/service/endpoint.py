"""How an endpoint is declared: who may call it, what it answers, and which errors it knows."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from dealwright.desk.desk import Desk
from dealwright.desk.keys import Caller
from dealwright.errors import NotFoundError
from dealwright.service.asked import check_query
from dealwright.service.problems import RefusedError

if TYPE_CHECKING:
    from dealwright.service.core import Service

EVERYBODY = ("ingest", "agent", "planner", "manager")
_BEARER = HTTPBearer(
    auto_error=False, scheme_name="key", description="A key of the service (`dealwright key create`)."
)
_MEANT = {
    400: "The body is not JSON.",
    401: "No valid key.",
    403: "The key has none of the scopes.",
    404: "There is no such thing, or it is somebody else's.",
    405: "The address does not know the method.",
    409: "The state of the desk forbids it.",
    413: "The request is too large.",
    415: "The body is not JSON.",
    422: "A value cannot be used.",
    429: "Too many requests.",
    503: "The database cannot be reached: try again.",
}


Check = Callable[[Request], Coroutine[Any, Any, None]]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def needs(*scopes: str) -> Check:
    """Let only those with one of the scopes through, with a key or signed in; an admin may do everything."""
    allowed = frozenset({*scopes, "admin"})

    async def check(request: Request) -> None:
        caller = await service_of(request).guard.identify(request)
        request.state.caller = caller
        # the scope agent opens what is the agent's own; any other scope of the endpoint opens it whole
        request.state.own_agent = None if caller.scopes & (allowed - {"agent"}) else caller.agent_id
        request.state.allowed = allowed
        if not caller.scopes & allowed:
            raise RefusedError(
                403, f"this takes the scope {' or '.join(sorted(allowed))}, and {caller.name!r} has "
                f"{', '.join(sorted(caller.scopes))}",
            )  # fmt: skip

    return check


def page_needs(*scopes: str) -> Check:
    """Do as `needs` for a page: who is not signed in goes to sign in, and comes back to the page after it."""
    check = needs(*scopes)

    async def check_or_sign_in(request: Request) -> None:
        try:
            await check(request)
        except RefusedError as error:
            if error.status != 401 or request.method != "GET":
                raise
            page = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            place = f"/auth/sign-in?{urlencode({'to': page})}"
            raise RefusedError(303, "sign in first", {"Location": place}) from None

    return check_or_sign_in


def csrf_token_of(request: Request) -> str:
    """Return what each form of a page has to send as `csrf_token`, or a script as header `X-CSRF-Token`."""
    return str(getattr(request.state.caller, "csrf_token", ""))


def endpoint(
    router: APIRouter,
    method: str,
    path: str,
    *,
    scopes: tuple[str, ...] | None,
    answer: Any,
    status: int = 200,
    media_type: str | None = None,
    often: type[BaseModel] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare an endpoint.

    Parameters
    ----------
    scopes
        A key needs one of them; an admin's key needs none. None: no key is asked for.
    answer
        What the OpenAPI document says of the answer; what is answered is sent as it is.
    often
        The shape of the body, where requests are so many that a plain one goes the short way (`_short_way`);
        the function takes the request and the body, and has defaults for everything else.
    """
    known = (400, 404, 405, 413, 422, 503) if scopes is None else tuple(_MEANT)
    failures: dict[int | str, dict[str, Any]] = {
        code: {
            "description": _MEANT[code],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for code in known
    }
    success: dict[str, Any] = {"model": answer} if answer is not None else {"description": "Done."}
    if media_type is not None:
        success = {"description": "As it comes.", "content": {media_type: {"schema": {"type": "string"}}}}

    check = None if scopes is None else needs(*scopes)

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        short = None if often is None or check is None else _short_way(often, check, function)
        router.add_api_route(
            path,
            function,
            methods=[method],
            status_code=status,
            response_model=None,
            response_class=Response,
            dependencies=[] if check is None else [Depends(check), Depends(check_query), Security(_BEARER)],
            responses={status: success, **failures},
            summary=(function.__doc__ or path).strip().split("\n")[0].rstrip("."),
            openapi_extra=None if scopes is None else {"x-scopes": sorted({*scopes, "admin"})},
            operation_id=function.__name__,
            route_class_override=short,
        )
        return function

    return declare


def _short_way(body: type[BaseModel], check: Check, function: Callable[..., Any]) -> type[APIRoute]:
    """Return a route that reads a plain request itself, for a third of what FastAPI takes to do so.

    Plain is a valid body as JSON, and nothing else that the endpoint takes. FastAPI answers all other
    requests, so it alone says what is wrong with one.
    """

    class ShortWay(APIRoute):
        def get_route_handler(self) -> Handler:
            usual = super().get_route_handler()
            taken = {name.alias.encode() for name in self.dependant.header_params}

            async def handle(request: Request) -> Response:
                if not _has_json_only(request, taken):
                    return await usual(request)
                try:
                    found = body.model_validate_json(await request.body())
                except (ValidationError, ClientDisconnect):
                    return await usual(request)
                await check(request)
                return cast("Response", await function(request, found))

            return handle

    return ShortWay


def _has_json_only(request: Request, taken: set[bytes]) -> bool:
    """Whether a request brings JSON, and no parameter in its address or its headers."""
    is_json = False
    for name, value in request.scope["headers"]:
        if name in taken:
            return False
        if name == b"content-type":
            is_json = value == b"application/json"
    return is_json and not request.scope["query_string"]


def service_of(request: Request) -> Service:
    """Return what the process shares among its requests."""
    return cast("Service", request.app.state.service)


async def _caller(request: Request) -> Caller:
    return cast("Caller", request.state.caller)


async def _own_agent(request: Request) -> int | None:
    return cast("int | None", request.state.own_agent)


async def desk_of(request: Request) -> Desk:
    """Return the desk with the rights of whoever asks."""
    service, state = service_of(request), request.state
    if not hasattr(state, "caller"):  # nobody was asked for
        return service.desk
    return service.desks.for_caller(
        state.caller, state.allowed, state.own_agent, request.scope.get("dealwright.request_id", "")
    )


Who = Annotated[Caller, Depends(_caller)]
TheDesk = Annotated[Desk, Depends(desk_of)]
# the agent whose work alone is shown to the key, under the desk's id; None: everybody's
OwnAgent = Annotated[int | None, Depends(_own_agent)]


def name_of(caller: Caller) -> str:
    """Return whom the record names for a caller."""
    return f"{caller.name} ({caller.caller_id})"


def check_own(own_agent: int | None, agent_id: int | None, what: str) -> None:
    """Refuse an agent's key that names somebody else's work, in the words for what does not exist.

    Raises
    ------
    NotFoundError
        It is somebody else's.
    """
    if own_agent is not None and agent_id != own_agent:
        raise NotFoundError(f"there is no {what} of yours: your list shows those that are")
