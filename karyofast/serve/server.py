"""Listen: the application in uvicorn, on a socket that is bound before the workers start."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from karyofast.errors import OptionError

GRACE = 30
"""Seconds that requests under way have to end when the service is stopped."""

BACKLOG = 256
"""Connections that the system keeps until they are taken."""


def listen(app: FastAPI, host: str, port: int, told: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `told` is called with the address once it is bound.

    Raises
    ------
    OptionError
        The address cannot be bound.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise OptionError(
            f"`host` and `port`: {host}:{port} cannot be listened at: {error.strerror or error}."
        ) from error
    with bound:
        shown = f"[{host}]" if ":" in host else host
        told(f"http://{shown}:{bound.getsockname()[1]}")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=GRACE
        )
        uvicorn.Server(config).run(sockets=[bound])
