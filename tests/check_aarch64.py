"""karyofast's wheel for aarch64, cross-built, installed in a Debian arm64 root and tried there under emulation.

    make aarch64-wheel
    python tests/check_aarch64.py --root build/arm64 --data ../shared/data

The root is made by debootstrap and needs the rights of root; qemu-user-static runs its programs by binfmt_misc. The
wheel is compiled by the cross compiler with that Debian's headers of Python; what it depends on are PyPI's wheels for
aarch64, in the versions of constraints.txt. There the kernel tests run, and `karyofast run` on a real G-band picture
with the shipped models; the exit code is 1 where count or ISCN differ from this machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
SUITES = {"python3.11": "bookworm", "python3.13": "trixie"}
"""Debian whose Python is this one: extension modules are built for one minor version."""

SITE = "opt/karyofast"
"""Where in the root karyofast and what it needs are installed."""
GLIBC = (17, 26, 27, 28, 34)
"""Minor versions of glibc that wheels of PyPI name, none above JetPack 6's 2.35."""
TESTS = ("pytest", "hypothesis", "scikit-image")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
EMULATOR = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")


def sh(*words: object, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], check=True, text=True, **more)


def emulate() -> None:
    """Have the kernel run programs of aarch64 by qemu."""
    if not (BINFMT / "register").exists():
        sh("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
    if not (BINFMT / "qemu-aarch64").exists():
        (BINFMT / "register").write_bytes(EMULATOR.read_bytes())


def make_root(root: Path) -> None:
    """Debian with Python, once."""
    done = root / ".karyofast-done"
    if not done.exists():
        if PYTHON not in SUITES:
            raise SystemExit(f"Python must be one of a Debian: {', '.join(SUITES)}. Got: {PYTHON}.")
        root.mkdir(parents=True, exist_ok=True)
        sh("debootstrap", "--arch=arm64", "--variant=minbase", "--include=python3,python3-dev", SUITES[PYTHON], root)
        done.touch()


def build(root: Path, folder: Path) -> Path:
    """The wheel, cross-built into `folder`."""
    told = "_sysconfigdata__aarch64-linux-gnu"
    with tempfile.TemporaryDirectory() as alone:  # the rest of the root's Python must not be found
        shutil.copy(root / "usr/lib" / PYTHON / f"{told}.py", alone)
        env = {
            "_PYTHON_HOST_PLATFORM": "linux-aarch64",
            "_PYTHON_SYSCONFIGDATA_NAME": told,
            "PYTHONPATH": alone,
            # Debian's pyconfig.h asks for one of its own machine; the cross compiler has the headers of C
            "CFLAGS": f"-I{root}/usr/include/{PYTHON} -idirafter {root}/usr/include",
        }
        words = [
            sys.executable,
            "setup.py",
            "-q",
            "build",
            "--build-base",
            folder / "work",
            "bdist_wheel",
            "-d",
            folder,
        ]
        sh(*words, cwd=ROOT, env={**os.environ, **env})
    return max(folder.glob("*_aarch64.whl"), key=lambda path: path.stat().st_mtime)


def install(root: Path, wheel: Path) -> None:
    """The wheel and what it needs, and what the tests need."""
    shutil.rmtree(root / SITE, ignore_errors=True)
    kinds = ["linux_aarch64", "manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in GLIBC)]
    words = [word for kind in kinds for word in ("--platform", kind)]
    words += ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON.removeprefix("python")]
    words += ["-c", ROOT / "constraints.txt", "--target", root / SITE, "--no-compile", wheel, *TESTS]
    sh(sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", *words)


def inside(root: Path, *words: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Run Python in the root."""
    place = ["env", "-C", "/work", f"PYTHONPATH=/{SITE}", "HOME=/root", "LANG=C.UTF-8"]
    return sh("chroot", root, *place, "python3", *words, **more)


def test(root: Path) -> None:
    """The tests of the kernels, on the installed wheel."""
    shutil.copytree(ROOT / "tests", root / "work/tests", dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", root / "work")
    inside(root, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_kernels.py")


def karyotypes(root: Path, picture: Path) -> tuple[dict[str, object], dict[str, object]]:
    """What `karyofast run` says of a picture in the root, and here."""
    shutil.copy(picture, root / "work" / picture.name)
    run = ["-m", "karyofast", "run", picture.name, "-o", "results", "--json", "--force"]
    there = json.loads(inside(root, *run, capture_output=True).stdout)["images"][0]
    with tempfile.TemporaryDirectory() as alone:
        shutil.copy(picture, alone)
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        here = json.loads(sh(sys.executable, *run, cwd=alone, env=env, capture_output=True).stdout)["images"][0]
    return there, here


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT / "build/arm64")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KARYOFAST_DATA", ROOT / "../shared/data")))
    given = parser.parse_args()
    root = given.root.resolve()
    began = time.monotonic()
    emulate()
    make_root(root)
    (root / "work").mkdir(exist_ok=True)
    wheel = build(root, root.with_name(f"{root.name}-wheel"))
    install(root, wheel)
    print(f"{wheel.name}, {wheel.stat().st_size / 2**20:.0f} MiB", flush=True)
    inside(root, "-m", "karyofast", "info")
    test(root)
    told = ("status", "count", "iscn", "low_confidence", "seconds")
    there, here = karyotypes(root, min((given.data / "gband" / "annotated").glob("*.jpg")))
    for machine, row in (("aarch64, emulated", there), (platform.machine(), here)):
        print(json.dumps({"machine": machine, "image": row["image"], **{name: row[name] for name in told}}))
    print(f"{time.monotonic() - began:.0f} s")
    if any(there[name] != here[name] for name in told[:3]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
