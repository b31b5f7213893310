"""A small web page and JSON endpoints over one recommender, for this machine.

What is asked, computed and answered is bounded. Connections that send nothing are not closed, so a
server for others needs a proxy before it that closes them.
"""

from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lohrec.identifiers.codewords import written
from lohrec.recommender.lists import Lists
from lohrec.recommender.recommender import Recommender
from lohrec.serving import explanation

PAGE = Path(__file__).with_name("page.html")
MOST_HISTORY, MOST_USERS, MOST_TOP, MOST_FOUND = 1000, 64, 100, 50
MOST_NAME, MOST_BODY = 256, 2**18  # characters, bytes
AT_ONCE = 128  # connections; more are told to come again
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; "  # its icon is an empty one
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

Name = Annotated[str, Field(min_length=1, max_length=MOST_NAME)]


class Asked(BaseModel):
    """Whom to recommend to: histories by names, the oldest item first."""

    model_config = ConfigDict(extra="forbid", strict=True)
    histories: Annotated[
        list[Annotated[list[Name], Field(max_length=MOST_HISTORY)]],
        Field(min_length=1, max_length=MOST_USERS),
    ]
    top: Annotated[int, Field(ge=1, le=MOST_TOP)] = 10
    exclude_history: bool | None = None
    explain: bool = False


class Bounded:
    """Refuses bodies of more than `MOST_BODY` bytes, and adds `HEADERS` to other answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, and hand it on whole."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MOST_BODY:
                said = {"detail": f"A body has at most {MOST_BODY} bytes."}
                await JSONResponse(said, 413, {"Connection": "close"})(scope, receive, send)
                return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def read() -> Message:
            return whole.pop() if whole else await receive()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, read, answer)


def application(recommender: Recommender, hosts: list[str]) -> FastAPI:
    """The page and its endpoints.

    Args:
        recommender: on its device; one request at a time computes.
        hosts: names that a request may call this machine; "*" for any.
    """
    # Nothing that is asked is told to anybody else, whatever the environment says.
    silent: TelemetryConfig = {
        "tracing": False,
        "metrics": False,
        "logs": False,
        "auto_configure": False,
    }
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, telemetry=silent)
    app.add_middleware(Bounded)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    catalogue, tree = recommender.catalogue, explanation.tree_of(recommender)
    identifiers = [] if tree is None else written(tree.identifiers(tree.leaf_of_item).cpu().numpy())
    words = [
        f"{name} {title}".casefold()
        for name, title in zip(catalogue.names, catalogue.titles, strict=True)
    ]
    computing, page = Lock(), PAGE.read_text(encoding="utf-8")

    def shown(number: int) -> dict[str, Any]:
        item = {"item": catalogue.names[number], "title": catalogue.titles[number]}
        return item | ({"identifier": identifiers[number]} if identifiers else {})

    @app.exception_handler(RequestValidationError)
    def refused(request: Request, error: RequestValidationError) -> JSONResponse:
        # Without what was asked, which may be nothing that JSON can hold.
        said = [{"where": ascii(one["loc"]), "said": ascii(one["msg"])} for one in error.errors()]
        return JSONResponse({"detail": said}, 422)

    @app.get("/", response_class=HTMLResponse)
    def look() -> str:
        return page

    @app.get("/health")
    async def health() -> dict[str, Any]:
        kind = {"status": "ok", "recommender": recommender.name, "items": len(catalogue)}
        kind |= {"excludes_history": recommender.excludes_history}
        return kind | {"explains": tree is not None}

    @app.get("/items")
    def items(
        search: Annotated[str, Query(max_length=MOST_NAME)] = "",
        most: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 20,
    ) -> dict[str, Any]:
        wanted = search.casefold().split()
        found = (n for n, text in enumerate(words) if all(word in text for word in wanted))
        return {"items": [shown(n) for n, _ in zip(found, range(most), strict=False)]}

    @app.get("/sharing")
    def sharing(
        item: Annotated[str, Query(max_length=MOST_NAME)],
        codewords: Annotated[int, Query(ge=1, le=4)] = 3,
        most: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 20,
    ) -> dict[str, Any]:
        if tree is None:
            raise HTTPException(404, f"A recommender {recommender.name!r} writes no identifiers.")
        if item not in catalogue.number:
            raise HTTPException(404, f"There is no item {item!r}.")
        others = explanation.sharing(tree, catalogue.number[item], codewords, most)
        return {"items": [shown(n) for n in others]}

    @app.post("/recommend")
    def recommend(asked: Asked) -> dict[str, Any]:
        with computing:
            lists = recommender.recommend(asked.histories, asked.top, asked.exclude_history)
            return {"lists": [answered(asked, lists, user) for user in range(len(lists))]}

    def answered(asked: Asked, lists: Lists, user: int) -> dict[str, Any]:
        listed = [
            shown(catalogue.number[name]) | {"score": round(score, 6)}
            for name, score in lists[user]
        ]
        if asked.explain and not lists.cold[user]:
            numbers = [catalogue.number[one["item"]] for one in listed]
            steps = explanation.probabilities(recommender, asked.histories[user], numbers)
            for one, probabilities in zip(listed, steps, strict=False):
                one["probabilities"] = [round(p, 6) for p in probabilities]
        unknown, cold = int(lists.unknown[user]), bool(lists.cold[user])
        return {"items": listed, "unknown": unknown, "cold": cold}

    return app


def serve(recommender: Recommender, host: str, port: int) -> None:
    """Answer until interrupted."""
    # An address of IPv6 stands in brackets, of which Starlette sees the first.
    local = ["127.0.0.1", "localhost", "[" if ":" in host else host]
    hosts = ["*"] if host in ("0.0.0.0", "::") else local
    uvicorn.run(
        application(recommender, hosts),
        host=host,
        port=port,
        log_level="warning",
        limit_concurrency=AT_ONCE + 1,  # the connection that asks is counted, too
        timeout_keep_alive=5,
    )
