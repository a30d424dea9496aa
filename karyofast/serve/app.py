"""The HTTP application: which request does what, and which error is which answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response, Security, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.security import HTTPBearer

from karyofast import __version__
from karyofast.batch_image import Setup
from karyofast.errors import ImageError, KaryofastError, OutputError
from karyofast.report import KARYOGRAM, OVERLAY, SummaryRow
from karyofast.serve.answers import Health, JobState, Problem, Readiness, Reading, job_state
from karyofast.serve.guard import RETRY_AFTER, Guard
from karyofast.serve.jobs import Job, told_to_client
from karyofast.serve.options import ServeOptions, read_tokens
from karyofast.serve.pool import BusyError, TimeLimitError
from karyofast.serve.service import KindError, Service, plain_name, reading

EXPIRY = 600.0
"""Seconds between two looks for jobs that are too old."""

NOT_ENOUGH_ROOM = 507

PICTURES = {"karyogram": KARYOGRAM, "overlay": OVERLAY}

_DESCRIPTION = """Metaphase pictures to draft karyotypes, for research use. One picture: `POST /v1/karyotypes`; many, as
a job that outlives the service: `POST /v1/jobs`. Pictures are not kept."""

_REASONS = {
    400: "No request that can be read.",
    401: "No token, or another one.",
    404: "There is none.",
    408: "The request did not arrive in time.",
    409: "Not done yet, or failed; see the job.",
    413: "Too large.",
    415: "No kind of picture that is read.",
    422: "A picture that cannot be karyotyped, or not in the time that it may take; or a parameter that may not be.",
    429: "Too many pictures wait.",
    500: "A worker failed.",
    503: "Not ready, or stopping.",
    507: "No room on the disk.",
}


def _may(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for its document."""
    return {status: {"model": Problem, "description": _REASONS[status]} for status in statuses}


_UPLOAD = (400, 401, 408, 413, 415, 422, 429, 500, 503, 507)

_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "A PNG."}}

public = APIRouter()
private = APIRouter()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _job(job: UUID, service: Annotated[Service, Depends(_service)]) -> Job:
    found = service.jobs.find(job)
    if found is None:
        raise HTTPException(404, "There is no such job (any more).")
    return found


def _result(number: int, job: Annotated[Job, Depends(_job)]) -> tuple[SummaryRow, Path]:
    """The row of a job's picture, and the folder of its result."""
    if not 0 <= number < len(job.names):
        raise HTTPException(404, f"The job has pictures 0 to {len(job.names) - 1}.")
    row = job.rows[number]
    if row is None or row.status == "failed":
        raise HTTPException(409, row.error if row else "It waits for its turn.")
    return row, job.task(number).folder


TheService = Annotated[Service, Depends(_service)]
TheJob = Annotated[Job, Depends(_job)]
Result = Annotated[tuple[SummaryRow, Path], Depends(_result)]
WithPictures = Annotated[bool, Query(description="Karyogram and overlay too.")]


@public.get("/health", tags=["state"])
async def health() -> Health:
    """The process is there and answers."""
    return Health(version=__version__)


@public.get("/ready", tags=["state"], responses={503: {"model": Readiness, "description": _REASONS[503]}})
async def ready(service: TheService) -> JSONResponse:
    """A worker has its models: pictures may come."""
    pool = service.pool
    told = Readiness(ready=pool.ready, waiting=pool.waiting(), trouble=pool.trouble)
    return JSONResponse(told.model_dump(), 200 if pool.ready else 503)


@private.get("/metrics", tags=["state"], responses={200: {"content": {"text/plain": {}}}, **_may(401)})
async def metrics(service: TheService) -> Response:
    """Numbers for Prometheus."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


@private.post("/v1/karyotypes", tags=["karyotypes"], responses=_may(*_UPLOAD))
async def karyotype(image: UploadFile, service: TheService, pictures: WithPictures = True) -> Reading:
    """Karyotype one picture: TIFF (8 or 16 bit), PNG, JPEG or BMP. The answer comes when it is done."""
    with service.single(image.file, image.filename) as task:
        row = told_to_client(await asyncio.wrap_future(service.pool.submit(task)), task)
        service.metrics.image(row)
        if row.status == "failed":
            raise HTTPException(422 if row.stage == "read" else 500, f"{row.stage}: {row.error}")
        return await asyncio.to_thread(reading, row, task.folder, pictures)


@private.post("/v1/jobs", status_code=202, tags=["jobs"], responses=_may(*_UPLOAD))
async def make_job(images: list[UploadFile], service: TheService) -> JobState:
    """Have many pictures karyotyped; when this answers, the job outlives the service."""
    most = service.options.job_images
    if len(images) > most:
        raise HTTPException(413, f"A job may bring {most} pictures. Got: {len(images)}.")
    return job_state(await asyncio.to_thread(_made, service, images))


def _made(service: Service, images: Sequence[UploadFile]) -> Job:
    with service.jobs.draft() as folder:
        for number, image in enumerate(images):
            service.keep(image.file, folder / f"{number}.image")
        return service.jobs.add(folder, [plain_name(image.filename) for image in images])


@private.get("/v1/jobs/{job}", tags=["jobs"], responses=_may(401, 404, 422))
async def job(found: TheJob) -> JobState:
    """How far a job is."""
    return job_state(found)


@private.delete("/v1/jobs/{job}", status_code=204, tags=["jobs"], responses=_may(401, 404, 422))
async def remove_job(found: TheJob, service: TheService) -> None:
    """Forget a job and its results; what of it waits is left out."""
    await asyncio.to_thread(service.jobs.remove, found.id)


@private.get("/v1/jobs/{job}/images/{number}", tags=["jobs"], responses=_may(401, 404, 409, 422))
async def job_image(result: Result, pictures: WithPictures = True) -> Reading:
    """The karyotype of one picture of a job."""
    try:
        return await asyncio.to_thread(reading, *result, pictures)
    except FileNotFoundError as error:  # removed meanwhile
        raise HTTPException(404, "There is no such job (any more).") from error


@private.get(
    "/v1/jobs/{job}/images/{number}/{picture}.png",
    tags=["jobs"],
    response_class=FileResponse,
    responses={**_PNG, **_may(401, 404, 409, 422)},
)
async def job_picture(result: Result, picture: Literal["karyogram", "overlay"]) -> FileResponse:
    """The karyogram of one picture of a job, or the picture with its chromosomes outlined."""
    path = result[1] / PICTURES[picture]
    if not path.is_file():
        raise HTTPException(404, "There is no such job (any more).")
    return FileResponse(path, media_type="image/png")


def create_app(setup: Setup, options: ServeOptions = ServeOptions()) -> FastAPI:  # noqa: B008 (frozen)
    """The application; its workers start with it.

    Parameters
    ----------
    setup : Setup
        What the workers do, see `karyofast.batch_image.setup_of`.
    options : ServeOptions

    Raises
    ------
    OptionError
        No token in the file of tokens; a state folder that cannot be used.
    """
    tokens = read_tokens(options.token_file) if options.token_file else ()
    service = Service(setup, options)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        expiry = asyncio.create_task(_expire(service))
        yield
        expiry.cancel()
        with suppress(asyncio.CancelledError):
            await expiry
        await asyncio.to_thread(service.close)

    # the pages of documentation would be fetched from another machine
    app = FastAPI(
        title="karyofast",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.include_router(public)
    app.include_router(private, dependencies=[Security(HTTPBearer(auto_error=False))] if tokens else [])
    app.add_middleware(Guard, options=options, tokens=tokens, metrics=service.metrics)
    app.add_exception_handler(KaryofastError, _refuse)
    app.add_exception_handler(RequestValidationError, _explain)
    return app


async def _expire(service: Service) -> None:
    while True:
        await asyncio.to_thread(service.jobs.expire)
        await asyncio.sleep(EXPIRY)


def _status(error: Exception) -> int:
    """The answer to an error of ours."""
    kinds = (
        (KindError, 415),
        (ImageError, 413),
        (BusyError, 429),
        (TimeLimitError, 422),
        (OutputError, NOT_ENOUGH_ROOM),
    )
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    status = _status(error)
    # an error of the disk names a folder of ours
    detail = "There is no room for the result." if status == NOT_ENOUGH_ROOM else str(error)
    return JSONResponse({"detail": detail}, status, RETRY_AFTER if status == 429 else None)


async def _explain(request: Request, error: Exception) -> JSONResponse:
    """What may not be of a request, in one line."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    named = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found)
    return JSONResponse({"detail": named}, 422)
