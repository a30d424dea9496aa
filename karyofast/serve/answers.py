"""What the service answers, as its OpenAPI document has it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from karyofast.report import SummaryRow
from karyofast.serve.jobs import Job


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Readiness(BaseModel):
    """Workers that have their models; why none has."""

    ready: int
    waiting: int
    trouble: str = ""


class Reading(BaseModel):
    """A draft karyotype, for a cytogeneticist to review."""

    name: str = Field(description="The picture, as the client called it.")
    draft: Literal[True] = True
    iscn: str = Field(description='Numerical, "" where nothing was placed.')
    count: int = Field(description="Separated chromosomes.")
    low_confidence: int = Field(description="Chromosomes that want a look.")
    quality: float = Field(description="0 to 1, how well the picture can be karyotyped.")
    seconds: float = Field(description="What it took once it was its turn.")
    karyotype: dict[str, Any] = Field(description="karyotype.json of `karyofast run`.")
    karyogram_png: str | None = Field(
        default=None,
        description="PNG in Base64.",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    )
    overlay_png: str | None = Field(
        default=None,
        description="PNG in Base64.",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    )


class JobImage(BaseModel):
    """A picture of a job."""

    number: int = Field(description="Counts from 0, in the order of the upload.")
    name: str
    status: Literal["waiting", "done", "failed"]
    iscn: str = ""
    count: int | None = None
    low_confidence: int | None = None
    quality: float | None = None
    seconds: float | None = None
    stage: str = Field(default="", description="Where it failed.")
    error: str = ""


class JobState(BaseModel):
    """A job and how far it is."""

    id: UUID
    created: datetime
    status: Literal["waiting", "done"] = Field(description="done: no picture waits any more.")
    done: int
    failed: int
    images: list[JobImage]


def job_state(job: Job) -> JobState:
    """What there is to say of a job."""
    rows = list(job.rows)
    return JobState(
        id=job.id,
        created=datetime.fromtimestamp(job.created, timezone.utc),
        status="waiting" if None in rows else "done",
        done=sum(row is not None and row.status == "done" for row in rows),
        failed=sum(row is not None and row.status == "failed" for row in rows),
        images=[_image(number, job.names[number], row) for number, row in enumerate(rows)],
    )


def _image(number: int, name: str, row: SummaryRow | None) -> JobImage:
    if row is None:
        return JobImage(number=number, name=name, status="waiting")
    return JobImage(
        number=number,
        name=name,
        status=row.status,
        iscn=row.iscn,
        count=row.count,
        low_confidence=row.low_confidence,
        quality=row.quality,
        seconds=row.seconds,
        stage=row.stage,
        error=row.error,
    )
