import json
import logging
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from karyotypes import bars, karyotype, label
from typer.testing import CliRunner

from karyofast import __version__, kernels, pipeline
from karyofast.cli import info
from karyofast.cli import main as cli
from karyofast.errors import OptionError
from karyofast.iscn import parse
from karyofast.models.store import list_models
from karyofast.simulate import simulate_metaphase
from karyofast.summary import read_summary
from karyofast.types import Quality


@pytest.fixture(autouse=True)
def own_logging(monkeypatch):
    """The command line sets up logging on a stderr that is gone after the test."""
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(one) for one in arguments])


def exit_code(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["karyofast", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0


@pytest.fixture
def quick(monkeypatch):
    """A pipeline that finds the same small cell in every picture and keeps the options it was given."""
    given = []

    def found(metaphase, options=None, models=None, clock=None):
        given.append(options)
        crops, names = bars("45,X")
        quality = Quality(*[0.9 if metaphase.name == "a" else 0.4] * 4)
        labels = [label(name) for name in names]
        return karyotype(crops, labels, metaphase.name, seconds={"detect": 0.5}, quality=quality)

    monkeypatch.setattr(pipeline, "load_models", lambda options, threads=0: None)
    monkeypatch.setattr(pipeline, "karyotype", found)
    return given


@pytest.fixture
def folder(tmp_path):
    """Two pictures and a file that is none, and settings that are not allowed."""
    grey = np.full((60, 60), 210, np.uint8)
    grey[10:50, 25:32] = 70
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), grey)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    (tmp_path / "wrong.toml").write_text("[arrange]\ngain_price = -1.0\n")
    return tmp_path


@pytest.fixture(scope="module")
def real(data_dir, tmp_path_factory):
    """A real metaphase, run from the command line."""
    image = sorted((data_dir / "gband" / "unlabelled").iterdir())[0]
    out = tmp_path_factory.mktemp("real")
    result = CliRunner().invoke(cli.app, ["run", str(image), "-o", str(out), "--json"])
    return image, out, result


def test_run_karyotypes_a_real_metaphase(real):
    image, out, result = real
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    (row,) = said["images"]
    assert (row["image"], row["status"], row["error"]) == (str(image), "done", "")
    assert 35 <= row["count"] <= 55
    assert len(parse(row["iscn"])) <= row["count"]
    own = out / image.stem
    written = json.loads((own / "karyotype.json").read_text())
    assert (written["count"], written["iscn"], written["draft"]) == (row["count"], row["iscn"], True)
    for name in ("karyogram.png", "overlay.png"):
        assert cv2.imread(str(own / name)) is not None
    assert read_summary(out / "summary.csv")[0].count == row["count"]
    content = json.loads((out / "instances.coco.json").read_text())
    assert len(content["annotations"]) == row["count"]
    assert image.stem in (out / "report.html").read_text()


def test_run_again_takes_the_real_result_from_its_folder(real, monkeypatch):
    image, out, result = real

    def refuse(*arguments, **settings):
        raise AssertionError("the image was done again")

    monkeypatch.setattr(pipeline, "load_models", refuse)
    again = call("run", image, "-o", out, "--json")
    assert json.loads(again.stdout) == json.loads(result.stdout)


def test_run_refuses_other_settings_in_the_same_folder(real, monkeypatch, capsys):
    image, out, _ = real
    assert exit_code(monkeypatch, "run", image, "-o", out, "--method", "none") == 2
    assert "--force" in capsys.readouterr().err


def test_run_names_bad_images_and_ends_with_3(folder, quick):
    result = call("run", folder, "-o", folder / "out")
    assert result.exit_code == 3
    assert "a.png  45,X  (45 chromosomes" in result.stdout
    assert "quality 0.90)" in result.stdout
    assert f"best spread {folder / 'a.png'} (0.90), worst {folder / 'b.png'} (0.40)" in result.stdout
    assert "2 of 3 images done" in result.stdout
    assert "broken.png" in result.stderr
    assert "broken.png" not in result.stdout
    assert [row.status for row in read_summary(folder / "out" / "summary.csv")] == ["done", "done", "failed"]


def test_run_quiet_prints_results_and_reasons_alone(folder, quick):
    result = call("run", folder, "-o", folder / "out", "--quiet")
    assert len(result.stdout.splitlines()) == 2
    assert len(result.stderr.splitlines()) == 1


def test_run_prints_json_alone_on_stdout(folder, quick):
    said = json.loads(call("run", folder / "a.png", folder / "broken.png", "-o", folder / "out", "--json").stdout)
    assert (said["folder"], said["done"]) == (str(folder / "out"), 1)
    assert [(one["status"], one["count"]) for one in said["images"]] == [("done", 45), ("failed", None)]


def test_run_tells_how_far_each_case_came_and_logs_it(folder, quick):
    log = folder / "run.log"
    given = ("run", folder, "-o", folder / "out", "--case-regex", r"([^/]+)\.png", "--log", log)
    said = json.loads(call(*given, "--json").stdout)
    assert (said["counted"], said["analysed"], said["karyotyped"]) == (2, 2, 2)
    assert [(one["case"], one["failed"], one["iscn"]) for one in said["cases"]] == [
        ("a", 0, "45,X (1)"),
        ("b", 0, "45,X (1)"),
        ("broken", 1, ""),
    ]
    assert [one["stage"] for one in said["images"]] == ["", "", "read"]
    assert "2 counted, 2 analysed, 2 karyotyped" in call(*given).stdout
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events == ["start", "resumed", "image", "image", "image", "end", "start", "resumed", "image", "end"]


def test_run_does_one_lot_and_says_what_comes_next(folder, quick):
    results = [call("run", folder, "-o", folder / "out", "--shard", f"{number}/2") for number in (1, 2)]
    assert all("call without --shard" in result.stdout for result in results)
    assert len(quick) == 2
    assert "2 of 3 images done" in call("run", folder, "-o", folder / "out", "--resume").stdout
    assert len(quick) == 2


def test_convert_writes_for_other_programs(folder, quick):
    call("run", folder / "a.png", "-o", folder / "out")
    result = call("convert", folder / "out", "--to", "labelme", "-o", folder / "labelme")
    assert (result.exit_code, result.stdout) == (0, f"pictures written to {folder / 'labelme'}: 1\n")
    assert len(json.loads((folder / "labelme" / "a.json").read_text())["shapes"]) == 45


def test_run_takes_options_from_a_file_and_the_command_line(folder, quick):
    (folder / "settings.toml").write_text('polarity = "dark"\n[segment]\nmethod = "none"\n[arrange]\ngain_price = 5\n')
    config = ("--config", folder / "settings.toml")
    call("run", folder / "a.png", "-o", folder / "out", *config, "--method", "watershed")
    (options,) = quick
    assert (options.polarity, options.segment.method, options.arrange.gain_price) == ("dark", "watershed", 5.0)


def test_an_option_that_is_given_wins_over_the_file_although_it_is_the_default(folder, quick):
    (folder / "settings.toml").write_text(
        'polarity = "dark"\n[detect]\nmethod = "otsu"\n[segment]\nmethod = "none"\n[classify]\nmodel = "other"\n'
    )
    config = ("--config", folder / "settings.toml", "--polarity", "auto", "--method", "axis", "--model", "g-band")
    assert call("run", folder / "a.png", "-o", folder / "out", *config).exit_code == 0
    (options,) = quick
    assert (options.polarity, options.segment.method, options.classify.model) == ("auto", "axis", "g-band")
    assert options.detect.method == "otsu"


def test_run_that_is_stopped_says_how_to_go_on(folder, quick, monkeypatch, capsys):
    first = pipeline.karyotype

    def stopped(metaphase, **settings):
        if metaphase.name == "b":
            raise KeyboardInterrupt
        return first(metaphase, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "karyotype", stopped)
        assert exit_code(patch, "run", folder / "a.png", folder / "b.png", "-o", folder / "out") == 130
    assert "stopped after 1 of 2 images" in capsys.readouterr().err
    assert not (folder / "out" / "summary.csv").exists()
    assert call("run", folder / "a.png", folder / "b.png", "-o", folder / "out").exit_code == 0
    assert len(quick) == 2


def test_a_full_disk_is_told_without_a_traceback(folder, monkeypatch, capsys):
    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("karyofast.coco.write", full)
    assert exit_code(monkeypatch, "detect", folder / "a.png", "-o", folder / "out") == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert "Traceback" not in said


def test_what_nobody_foresaw_in_one_picture_does_not_stop_detect(folder, monkeypatch):
    from karyofast import detect

    first = detect.detect

    def odd(metaphase, options):
        if metaphase.name == "a":
            raise ZeroDivisionError("odd")
        return first(metaphase, options)

    monkeypatch.setattr(detect, "detect", odd)
    result = call("detect", folder / "a.png", folder / "b.png", "-o", folder / "out", "--json")
    assert result.exit_code == 3
    assert [one["error"] for one in json.loads(result.stdout)["images"]] == ["unexpected ZeroDivisionError: odd", None]
    assert "a.png: unexpected ZeroDivisionError: odd" in result.stderr


def test_help_is_there_without_what_the_verbs_need():
    script = (
        "import sys\n"
        "from karyofast.cli.main import main\n"
        "sys.argv = ['karyofast', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'numpy', 'cv2', 'scipy', 'numba', 'onnxruntime', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Karyotype metaphase images" in done.stdout


def test_run_does_not_wait_for_scipy(tmp_path):
    """Loading it would take a third of the time to the first karyotype."""
    cv2.imwrite(str(tmp_path / "a.png"), simulate_metaphase(np.random.default_rng(3)).image)
    script = (
        "import sys\n"
        "from karyofast.cli.main import main\n"
        "sys.modules['scipy'] = None\n"
        f"sys.argv = ['karyofast', 'run', '{tmp_path}/a.png', '-o', '{tmp_path}/out', '--quiet']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(read_summary(tmp_path / "out/summary.csv")[0].count) > 40


def test_the_package_can_be_called_as_a_module():
    done = subprocess.run([sys.executable, "-m", "karyofast", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"karyofast {__version__}\n")


def test_run_does_all_again_when_forced(folder, quick):
    for arguments in ((), (), ("--force",), ("--force", "--polarity", "dark")):
        assert call("run", folder / "a.png", "-o", folder / "out", *arguments).exit_code == 0
    assert [options.polarity for options in quick] == ["auto", "auto", "dark"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run", "no-such.png", "-o", "{}/out"), 1),
        (("run", "{}/a.png", "-o", "{}/out", "--method", "guess"), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--polarity", "guess"), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--config", "{}/broken.png"), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--config", "{}/gone.toml"), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--config", "{}/wrong.toml"), 2),
        (("run", "{}/a.png", "-o", "{}/a.png"), 1),
        (("run", "{}/a.png", "-o", "{}/out", "--model", "guess"), 1),
        (("run", "{}/a.png"), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--jobs", "0"), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--shard", "3/2"), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--timeout", "0"), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--case-regex", "("), 2),
        (("run", "{}/a.png", "-o", "{}/out", "--log", "{}"), 1),
        (("convert", "{}", "--to", "yolo", "-o", "{}/out"), 1),
        (("convert", "{}", "--to", "voc", "-o", "{}/out"), 2),
        (("case", "{}", "-o", "{}/out"), 2),
        (("run", "{}/a.png", "{}/broken.png", "-o", "{}/out"), 3),
        (("run", "{}/a.png", "-o", "{}/out"), 0),
        (("info",), 0),
        (("demo", "--karyotype", "47", "-o", "{}/out"), 2),
    ],
)
def test_exit_codes(arguments, code, folder, monkeypatch, quick, capsys):
    if "guess" in arguments:
        # the real one looks the model up, and fails to
        monkeypatch.undo()
        monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)
    assert exit_code(monkeypatch, *(one.format(folder) for one in arguments)) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert bool(said) == bool(code)


@pytest.mark.parametrize("verb", ["run", "case", "edit", "demo", "info"])
def test_help_has_a_line_on_each_option_and_examples(verb):
    result = call(verb, "--help")
    assert result.exit_code == 0
    assert f"karyofast {verb}" in result.stdout
    assert "--json" in result.stdout


def test_info_tells_what_is_there():
    said = json.loads(call("info", "--json").stdout)
    assert said["karyofast"] == __version__
    assert said["libraries"]["numpy"] == np.__version__
    assert said["libraries"]["opencv-python-headless"] != "not installed"
    assert said["cores"] >= 1
    assert said["processor"]
    assert "CPUExecutionProvider" in said["providers"]
    assert said["gpu"] is None or float(said["gpu"]) > 3
    stubs = {path.stem for path in Path(kernels.__file__).parent.glob("_*.pyi")}
    assert {*info.COMPILED.values(), "_cpu"} == stubs
    assert set(said["kernels"]) == {f"{name} (compiled)" for name in info.COMPILED}
    assert {"component tree (compiled)", "relevance (compiled)", "ridge (compiled)"} <= set(said["kernels"])
    assert "portable" in said["kernels"]["relevance (compiled)"]
    assert [one["name"] for one in said["models"]] == [one.name for one in list_models()]
    text = call("info").stdout
    assert f"karyofast {__version__}" in text
    assert all(f"{one['name']} ({one['kind']}" in text for one in said["models"])


def test_demo_draws_karyotypes_and_scores_a_cell(tmp_path):
    result = call("demo", "-o", tmp_path / "demo", "--picture", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    pictures = {name: cv2.imread(said[name]) for name in ("metaphase", "karyogram", "overlay", "picture")}
    assert all(picture is not None for picture in pictures.values())
    assert pictures["picture"].shape[0] > pictures["karyogram"].shape[0]
    assert pictures["picture"].shape[1] > pictures["karyogram"].shape[1] + pictures["metaphase"].shape[1]
    (one,) = said["scores"]["images"]
    assert (one["true"], one["true_iscn"]) == (47, "47,XX,+21")
    # the demo is there to convince: most of a clean simulated cell must come out
    assert one["separated"] >= 40
    assert one["placed"] >= 24


def test_demo_tells_in_words_where_its_pictures_are(tmp_path, monkeypatch):
    crops, names = bars("45,X")
    few = karyotype(crops[:8], [label(name) for name in names[:8]])
    monkeypatch.setattr(pipeline, "karyotype", lambda metaphase: few)
    result = call("demo", "-o", tmp_path, "--seed", 4, "--karyotype", "45,X")
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "karyogram.png") in result.stdout
    assert "45,X, 45 chromosomes" in result.stdout
    assert "0 of 45 separated and in the right place" in result.stdout
    assert "8 found that are none" in result.stdout
    assert "not right" in result.stdout
    assert not (tmp_path / "demo.png").exists()


def test_demo_refuses_a_karyotype_that_cannot_be_drawn(tmp_path):
    result = call("demo", "-o", tmp_path / "demo", "--karyotype", "47,XX")
    assert isinstance(result.exception, OptionError)
    assert not (tmp_path / "demo").exists()
