import json
import subprocess
import sys

import pytest


@pytest.fixture
def calls(monkeypatch):
    """What `run_paper` is called with; it writes an empty report."""
    from karyofast.experiments import run

    kept = []

    def run_paper(parts, data, out, options, scope, device, threads, tell):
        tell("fit", 1, 2)
        kept.append((parts, options, scope, device, threads))
        (out / "report.md").write_text("# what was found\n")
        return out / "report.html"

    monkeypatch.setattr(run, "run_paper", run_paper)
    return kept


def test_paper_hands_its_options_on_and_prints_the_report(karyofast, calls, tmp_path):
    from karyofast.experiments.plan import FULL, Scope

    given = (
        "--preset",
        "full",
        "--seeds",
        4,
        "--cells",
        25,
        "--cells",
        10,
        "--np",
        50,
        "--device",
        "cpu",
        "--threads",
        1,
    )
    code, out, _ = karyofast("paper", "table2", "few", "table2", "--data", tmp_path, "-o", tmp_path / "run", *given)
    assert code == 0
    assert out.startswith("# what was found")
    assert str(tmp_path / "run" / "report.html") in out
    assert calls == [(("table2", "few"), FULL, Scope(4, (10, 25), (50,), plane_seeds=4), "cpu", 1)]


def test_paper_all_is_every_part_of_the_quick_preset(karyofast, calls, tmp_path):
    from karyofast.experiments.plan import PARTS, PRESETS

    code, out, _ = karyofast("paper", "all", "--data", tmp_path, "-o", tmp_path / "run", "--device", "cpu", "--json")
    assert code == 0
    assert json.loads(out)["report"] == str(tmp_path / "run" / "report.html")
    assert calls == [(PARTS, *PRESETS["quick"], "cpu", 0)]


@pytest.mark.parametrize(
    ("given", "expected", "told"),
    [
        (("table3",), 2, "PART must be one of table1, table2"),
        (("table1", "--seeds", "0"), 2, "--seeds"),
        (("table1",), 1, "no such file or folder"),
    ],
)
def test_what_paper_cannot_do_is_told(karyofast, tmp_path, given, expected, told):
    code, out, err = karyofast("paper", *given, "--data", tmp_path / "gone", "-o", tmp_path / "run", "--device", "cpu")
    assert (code, out) == (expected, "")
    assert told in err


def test_paper_without_cuda_says_so(karyofast, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, err = karyofast("paper", "table1", "--data", tmp_path, "-o", tmp_path / "run", "--device", "cuda")
    assert code == 2
    assert "--device must be cpu or auto" in err


def test_paper_without_torch_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        f"sys.argv = ['karyofast', 'paper', 'table1', '--data', {str(tmp_path)!r}, '-o', {str(tmp_path / 'run')!r}]\n"
        "from karyofast.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'karyofast[train]'" in done.stderr
    assert not (tmp_path / "run").exists()
