"""What is asked of a request before its body is read: a token, room, a size that may be; and that it comes in time."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from karyofast.serve.metrics import Metrics
from karyofast.serve.options import MEBIBYTE, ServeOptions

OPEN = frozenset({"/health", "/ready", "/openapi.json"})
"""Paths that need no token."""

JOBS = "/v1/jobs"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are counted by name."""

RETRY_AFTER = {"Retry-After": "1"}
"""With 429: a picture takes about a second."""


class Guard:
    """ASGI middleware: refuses what is not to be read, and counts what is answered.

    Parameters
    ----------
    app : ASGI application
    options : ServeOptions
    tokens : collection of bytes
        Those that are let in; none: everybody.
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, options: ServeOptions, tokens: Collection[bytes], metrics: Metrics) -> None:
        self._app, self._options, self._tokens, self._metrics = app, options, tokens, metrics
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._answer(scope, receive, sending)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.request(method, route, status, time.monotonic() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        self._uploads += 1
        self._metrics.admitted.set(self._uploads)
        try:
            await self._app(scope, self._limited(receive, self._most(scope)), send)
        finally:
            self._uploads -= 1
            self._metrics.admitted.set(self._uploads)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        if scope["path"] not in OPEN and not self._lets_in(headers.get(b"authorization", b"")):
            return _problem(401, "A token is needed: Authorization: Bearer TOKEN.", {"WWW-Authenticate": "Bearer"})
        if scope["method"] != "POST":
            return None
        most = self._most(scope)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            return _problem(413, _too_large(most), {"Connection": "close"})
        if self._uploads >= self._options.queue + self._options.workers:
            return _problem(429, f"{self._uploads} pictures are at work or wait. Come back.", RETRY_AFTER)
        return None

    def _lets_in(self, authorization: bytes) -> bool:
        if not self._tokens:
            return True
        kind, _, token = authorization.partition(b" ")
        # each is compared, in a time that tells nothing of where they differ
        fits = [hmac.compare_digest(token.strip(), one) for one in self._tokens]
        return kind.lower() == b"bearer" and any(fits)

    def _most(self, scope: Scope) -> int:
        mebibytes = self._options.job_mib if scope["path"] == JOBS else self._options.max_mib
        return int(mebibytes * MEBIBYTE)

    def _limited(self, receive: Receive, most: int) -> Receive:
        """`receive` that gives up where the body is too large, or takes too long."""
        until, got = time.monotonic() + self._options.upload_seconds, 0
        whole = False

        async def receiving() -> Message:
            nonlocal got, whole
            if whole:
                return await receive()  # waits for the client to go
            try:
                message = await asyncio.wait_for(receive(), max(until - time.monotonic(), 0.0))
            except TimeoutError:
                seconds = f"{self._options.upload_seconds:g}"
                raise HTTPException(
                    408, f"The request must arrive within {seconds} s.", {"Connection": "close"}
                ) from None
            got += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if got > most:
                raise HTTPException(413, _too_large(most), {"Connection": "close"})
            return message

        return receiving


def _too_large(most: int) -> str:
    return f"The request must have {most} bytes or less."


def _problem(status: int, detail: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers)
