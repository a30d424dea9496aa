"""karyofast serve: the recogniser as a service, for a device or a laboratory's own network."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from karyofast.cli.options import (
    ConfigFile,
    Detector,
    Device,
    LowMemory,
    Method,
    ModelOrFile,
    Polarity,
    Precision,
    Runtime,
    resolve,
)
from karyofast.cli.output import complain
from karyofast.errors import NotBuiltError


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at; one of another network needs --token-file.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    state: Annotated[
        Path | None, typer.Option(help="Folder of the jobs; without one they go with the service.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File of tokens, one a line: Authorization: Bearer TOKEN.")
    ] = None,
    workers: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Pictures worked on side by side.")] = 1,
    queue: Annotated[int, typer.Option(min=0, help="Pictures that may wait; one more is answered with 429.")] = 16,
    queue_seconds: Annotated[float, typer.Option(help="How long a picture may wait, then 429.")] = 30.0,
    backlog: Annotated[int, typer.Option(min=1, help="Pictures of jobs that may wait.")] = 500,
    job_images: Annotated[int, typer.Option(min=1, help="Pictures that one job may bring.")] = 200,
    timeout: Annotated[float, typer.Option(help="Seconds that one picture may take.")] = 60.0,
    memory: Annotated[int | None, typer.Option(help="MiB that one picture may take beside the models.")] = None,
    max_mib: Annotated[float, typer.Option(help="Largest picture, MiB.")] = 64.0,
    job_mib: Annotated[float, typer.Option(help="Largest job, MiB.")] = 1024.0,
    megapixels: Annotated[float, typer.Option(help="Largest picture, millions of pixels.")] = 25.0,
    upload_seconds: Annotated[float, typer.Option(help="In which a request must have arrived.")] = 60.0,
    keep_hours: Annotated[float, typer.Option(help="How long a finished job is kept.")] = 24.0,
    polarity: Polarity = None,
    detector: Detector = None,
    method: Method = None,
    model: ModelOrFile = None,
    runtime: Runtime = None,
    device: Device = None,
    precision: Precision = None,
    low_memory: LowMemory = None,
    config: ConfigFile = None,
) -> None:
    """Serve karyotypes over HTTP: a picture in, karyotype.json, karyogram and overlay out.

    POST /v1/karyotypes answers with the karyotype of one picture; POST /v1/jobs takes many and answers at once, and
    what of a job is done is not lost when the service is killed (with --state). GET /health, /ready, /metrics
    (Prometheus), /openapi.json. It listens to this machine alone unless told otherwise; pictures are not kept.
    Needs pip install 'karyofast\\[serve]'.

    \b
    Examples:
      karyofast serve
      curl -F image=@metaphase.tif http://127.0.0.1:8000/v1/karyotypes
      curl -F images=@a.tif -F images=@b.tif http://127.0.0.1:8000/v1/jobs
      karyofast serve --state /var/lib/karyofast --jobs 2 --timeout 30
      karyofast serve --host 0.0.0.0 --token-file tokens.txt
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    try:
        import_module("python_multipart")  # FastAPI would ask for it in words of its own
        from karyofast.serve.app import create_app
        from karyofast.serve.server import listen
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("karyofast"):
            raise
        raise NotBuiltError(
            f"serve needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'karyofast[serve]'"
        ) from error
    from karyofast.batch_image import setup_of
    from karyofast.serve.options import ServeOptions, check_host

    check_host(host, token_file)
    given = {
        "polarity": polarity,
        "detector": detector,
        "method": method,
        "model": model,
        "runtime": runtime,
        "device": device,
        "precision": precision,
        "low_memory": low_memory,
    }
    options = ServeOptions(
        state=state,
        token_file=token_file,
        workers=workers,
        queue=queue,
        queue_seconds=queue_seconds,
        backlog=backlog,
        job_images=job_images,
        seconds=timeout,
        memory=memory,
        max_mib=max_mib,
        job_mib=job_mib,
        megapixels=megapixels,
        upload_seconds=upload_seconds,
        keep_hours=keep_hours,
    )
    app = create_app(setup_of(resolve(config, **given)), options)
    listen(app, host, port, lambda address: complain(f"karyofast: listening at {address}"))
