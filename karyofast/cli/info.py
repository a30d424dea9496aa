"""karyofast info: what is installed, what it runs on, which models are there."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from karyofast.cli.options import Json
from karyofast.cli.output import print_json

NOT_THERE = "not installed"

OPTIONAL = ("torch", "tensorrt", "tensorrt_rtx")
"""Packages that some runtimes need."""

COMPILED = {
    "component tree": "_tree",
    "two-class variance": "_variance",
    "distance transform": "_distance",
    "relevance": "_relevance",
    "ridge": "_ridge",
    "shapes": "_shape",
    "solidity": "_solid",
    "opening": "_opening",
    "field": "_field",
    "zones": "_zones",
    "axes": "_axis",
    "ways inside": "_inner",
    "lifted cores": "_lifted",
    "assignment": "_assign",
}
"""Compiled kernels and their modules."""

ONE_PATH = ("ridge", "solidity", "ways inside", "lifted cores", "assignment")
"""Those of them that have no vectors."""


def info(
    as_json: Json = False,
    bench: Annotated[bool, typer.Option("--bench", help="Measure what this machine does; takes some seconds.")] = False,
) -> None:
    """Show versions, compiled kernels, processor and the models that come with karyofast.

    Put its output into every report of an error.

    \b
    Examples:
      karyofast info
      karyofast info --json
      karyofast info --bench
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    found = gather()
    if bench:
        from karyofast.bench import measure

        found["bench"] = measure()
    if as_json:
        print_json(found)
        return
    typer.echo(f"karyofast {found['karyofast']}, Python {found['python']} on {found['system']}")
    typer.echo(f"processor: {found['processor']}, {found['cores']} cores for this process")
    typer.echo("libraries:")
    for name, number in found["libraries"].items():
        typer.echo(f"  {name} {number}")
    typer.echo(f"ONNX Runtime runs on: {', '.join(found['providers'])}")
    typer.echo(f"GPU: {'compute capability ' + found['gpu'] if found['gpu'] else 'none'}")
    typer.echo("kernels:")
    for name, state in found["kernels"].items():
        typer.echo(f"  {name}: {state}")
    typer.echo("models:" if found["models"] else "models: none are shipped with this build")
    for model in found["models"]:
        typer.echo(f"  {model['name']} ({model['kind']}, sha256 {model['sha256'][:12]})")
        for name, value in model["measured"].items():
            typer.echo(f"    {name}: {value}")
    if bench:
        _tell(found["bench"])


def _tell(bench: Mapping[str, Any]) -> None:
    """The measurements as a table."""
    typer.echo(f"measured on one picture ({bench['picture']}), {bench['rounds']} rounds:")
    typer.echo(f"  {'':<22}{'median':>10}{'least':>10}{'most':>10}")
    rows = {
        **{f"{name}, ms": row for name, row in (*bench["kernels_ms"].items(), *bench["stages_ms"].items())},
        "image, ms": bench["image_ms"],
        "images a second": bench["images_per_s"],
        **{f"crops a second, {name}": row for name, row in bench["crops_per_s"].items()},
    }
    for name, row in rows.items():
        typer.echo(f"  {name:<22}" + "".join(f"{row[key]:>10g}" for key in ("median", "least", "most")))
    typer.echo(f"  models loaded in {bench['load_s']:g} s")


def gather() -> dict[str, Any]:
    """All that `karyofast info` shows, as plain values."""
    from onnxruntime import get_available_providers

    from karyofast import __version__
    from karyofast.batch_facts import LIBRARIES, library_version
    from karyofast.batch_workers import cores
    from karyofast.models.store import list_models, shipped_folder
    from karyofast.runtimes.cuda import compute_capability

    models = list_models() if shipped_folder().is_dir() else []
    return {
        "karyofast": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "processor": _processor(),
        "cores": cores(),
        "cores_of_machine": os.cpu_count(),
        "libraries": {name: library_version(name) or NOT_THERE for name in (*LIBRARIES, *OPTIONAL)},
        "providers": get_available_providers(),
        "gpu": compute_capability(),
        "kernels": _kernels(),
        "models": [
            {
                "name": one.name,
                "kind": one.kind,
                "sha256": one.sha256,
                "folder": str(one.folder),
                "training_data": _table(one.values, "training").get("data", ""),
                "measured": _table(one.values, "measured"),
            }
            for one in models
        ],
    }


def _table(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return dict(found) if isinstance(found, dict) else {}


def _processor() -> str:
    """Name of the processor as the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _kernels() -> dict[str, str]:
    """Whether the fast side of each kernel can run here, and with which instructions."""
    from karyofast.kernels.dispatch import cpu_paths

    states = {}
    for name, module in COMPILED.items():
        try:
            import_module(f"karyofast.kernels.{module}")
        except ImportError as error:
            states[f"{name} (compiled)"] = f"not built ({error}); the slow reference runs"
        else:
            paths = f", runs its {cpu_paths()[-1]} path of {', '.join(cpu_paths())}"
            states[f"{name} (compiled)"] = "built" + ("" if name in ONE_PATH else paths)
    return states
