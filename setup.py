"""Builds every csrc/_NAME.pyx, with csrc/NAME_core.c where there is one, into karyofast.kernels._NAME."""

import os
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent


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
        # fused products would make the paths of csrc/cpu.h differ in the last bit; nobody reads errno or float traps,
        # and they keep square roots from being vectorised
        extra_compile_args=["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    )


setup(
    ext_modules=cythonize([extension(pyx) for pyx in sorted((ROOT / "csrc").glob("_*.pyx"))]),
    options={"build_ext": {"parallel": os.cpu_count()}},
)
