"""Builds every csrc/_NAME.pyx, with csrc/NAME_core.c where there is one, into karyofast.kernels._NAME."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent
SHARED = "karyofast.kernels._cython"
"""What Cython makes memory views of, once: in each of the others it would be most of what is compiled."""

# fused products would make the paths of csrc/cpu.h differ in the last bit; nobody reads errno or float traps,
# and they keep square roots from being vectorised
FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
if "-g" not in os.environ.get("CFLAGS", "").split():
    FLAGS.append("-g0")  # Python's own flags ask for what only a debugger reads, nine tenths of the files


def extension(pyx: Path) -> Extension:
    """The extension of one Cython source, with portable flags: a wheel runs on any processor of its kind."""
    core = pyx.with_name(f"{pyx.stem.removeprefix('_')}_core.c")
    sources = [pyx, core] if core.exists() else [pyx]
    return Extension(
        f"karyofast.kernels.{pyx.stem}",
        [str(source.relative_to(ROOT)) for source in sources],
        include_dirs=["csrc", np.get_include()],
        depends=[str(path.relative_to(ROOT)) for path in sorted((ROOT / "csrc").glob("*.[hi]*"))],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=FLAGS,
    )


def shared() -> Extension:
    """The module that the others import the code of memory views from; its source is written where it has changed."""
    source = f"csrc/{SHARED.rpartition('.')[2]}.c"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / Path(source).name
        subprocess.run([sys.executable, "-m", "cython", "-3", "--generate-shared", str(made)], check=True)
        known = ROOT / source
        if not known.exists() or known.read_bytes() != made.read_bytes():
            known.write_bytes(made.read_bytes())
    return Extension(SHARED, [source], extra_compile_args=FLAGS)


setup(
    ext_modules=[
        shared(),
        *cythonize(
            [extension(pyx) for pyx in sorted((ROOT / "csrc").glob("_*.pyx"))], shared_utility_qualified_name=SHARED
        ),
    ],
    options={"build_ext": {"parallel": os.cpu_count()}},
)
