"""What the service may be told: where it listens, who may ask, how much one client may take."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from karyofast.errors import OptionError

LEAST_TOKEN = 16
"""Characters of the shortest token: fewer can be guessed."""

MEBIBYTE = 2**20


@dataclass(frozen=True)
class ServeOptions:
    """Options of `karyofast.serve.app.create_app`.

    Attributes
    ----------
    state : Path or None
        Folder of the jobs, which outlive the process; None: they go with it.
    token_file : Path or None
        File of tokens, one a line, "#" begins a comment; a request must bring one of them.
    workers : int
        Processes that karyotype.
    queue : int
        Pictures that may wait, beside those that the workers have; one more is answered with 429.
    queue_seconds : float
        How long a picture may wait; then it is answered with 429.
    backlog : int
        Pictures of jobs that may wait.
    job_images : int
        Pictures that one job may bring.
    seconds : float
        What one picture may take once it is its turn.
    memory : int or None
        MiB that one picture may take beside the models.
    max_mib : float
        Largest picture, MiB.
    job_mib : float
        Largest job, MiB.
    megapixels : float
        Largest picture, 10^6 px.
    upload_seconds : float
        In which a request must have arrived.
    keep_hours : float
        How long a finished job is kept.
    """

    state: Path | None = None
    token_file: Path | None = None
    workers: int = 1
    queue: int = 16
    queue_seconds: float = 30.0
    backlog: int = 500
    job_images: int = 200
    seconds: float = 60.0
    memory: int | None = None
    max_mib: float = 64.0
    job_mib: float = 1024.0
    megapixels: float = 25.0
    upload_seconds: float = 60.0
    keep_hours: float = 24.0

    def __post_init__(self) -> None:
        for name in ("workers", "backlog", "job_images"):
            if getattr(self, name) < 1:
                raise OptionError(f"`{name}` must be 1 or more. Got: {getattr(self, name)}.")
        if self.queue < 0:
            raise OptionError(f"`queue` must be 0 or more. Got: {self.queue}.")
        for name in ("queue_seconds", "max_mib", "job_mib", "megapixels", "upload_seconds", "keep_hours"):
            if not getattr(self, name) > 0:
                raise OptionError(f"`{name}` must be above 0. Got: {getattr(self, name)}.")


def read_tokens(path: Path) -> tuple[bytes, ...]:
    """The tokens of a file, one a line.

    Raises
    ------
    OptionError
        A file that cannot be read, that holds none, or one that is too short.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"`token_file` {path}: cannot be read: {error}.") from error
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise OptionError(f"`token_file` {path}: must hold a token, one a line. Got: none.")
    if short := [len(token) for token in tokens if len(token) < LEAST_TOKEN]:
        raise OptionError(
            f"`token_file` {path}: a token must have {LEAST_TOKEN} characters or more. Got: one of {short[0]}. "
            "Make one with: openssl rand -hex 32"
        )
    return tuple(token.encode("ascii") for token in tokens)


def check_host(host: str, token_file: Path | None) -> None:
    """Refuse to listen beyond this machine without tokens.

    Raises
    ------
    OptionError
        `host` is no loopback address, and there is no `token_file`.
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and token_file is None:
        raise OptionError(
            f"`host` must be of this machine (127.0.0.1, ::1, localhost) without a token file. Got: {host}. "
            "Give --token-file too."
        )
