import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: KARYOFAST_DATA, by default ../shared/data beside the repository."""
    folder = Path(os.environ.get("KARYOFAST_DATA", "../shared/data"))
    folder = folder if folder.is_absolute() else (ROOT / folder).resolve()
    if not (folder / "gband" / "instances.json").exists():
        pytest.fail(f"KARYOFAST_DATA must name the folder of gband, mfish and pki3.zip. Got: {folder}.")
    return folder


@pytest.fixture
def karyofast(monkeypatch, capsys):
    """Run the command; gives (exit code, stdout, stderr)."""
    from karyofast.cli.main import main

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["karyofast", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return end.value.code or 0, told.out, told.err

    return run


# tests measure no time; a busy machine must not fail them
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
