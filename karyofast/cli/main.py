"""The command ``karyofast``: one verb a module; errors become exit codes here and nowhere else."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from karyofast import __version__
from karyofast.cli import (
    case,
    classify,
    convert,
    demo,
    detect,
    edit,
    evaluate,
    evaluate_failures,
    export,
    info,
    paper,
    run,
    segment,
    serve,
    simulate,
    train,
    train_ablation,
    train_gan,
)
from karyofast.cli.output import STOPPED, USAGE
from karyofast.errors import KaryofastError, OptionError

# read when OpenCV is first imported, here and in worker processes: our errors say the same with the file's name
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
# its idle threads would look for work all the time instead of sleeping
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "0")

app = typer.Typer(
    name="karyofast",
    help="Metaphase images to karyotypes: detection, separation, classification, karyogram and draft ISCN.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(run.run)
app.command()(case.case)
app.command()(convert.convert)
app.command()(demo.demo)
app.command()(edit.edit)
app.command()(detect.detect)
app.command()(segment.segment)
app.command()(classify.classify)
app.command()(simulate.simulate)
evaluate.app.command()(evaluate_failures.failures)
app.add_typer(evaluate.app, name="evaluate")
train.app.command()(train_ablation.ablation)
train.app.command()(train_gan.gan)
train.app.command()(train_gan.plane)
app.add_typer(train.app, name="train")
app.add_typer(export.app, name="export")
app.command()(serve.serve)
app.command()(paper.paper)
app.command()(info.info)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"karyofast {__version__}")
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done, on stderr.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Metaphase images to karyotypes; research use, every karyotype is a draft for a cytogeneticist to review."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )
    if not verbose:
        # what it says of a broken file is said again, with the file's name, in our errors
        logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 usage, 3 done but some images failed."""
    try:
        app()
    except OptionError as error:
        _fail(str(error), USAGE)
    except KaryofastError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("stopped.", STOPPED)
    except BrokenPipeError:
        # whoever read stdout has gone: nothing more to say, and the interpreter must not try to flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        # a disk that is full, a folder that may not be written to
        _fail(str(error))


def _fail(message: str, code: int = 1) -> None:
    typer.echo(f"karyofast: {message}", err=True)
    sys.exit(code)
