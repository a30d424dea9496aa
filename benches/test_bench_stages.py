"""The stages after detection, the whole way and the start of a process, on a real G-band metaphase."""

import subprocess
import sys

import pytest

from karyofast.classify import CellScale, classify
from karyofast.config import Options, SegmentOptions
from karyofast.detect import detect
from karyofast.io import read_metaphase
from karyofast.pipeline import karyotype, load_models
from karyofast.quality import measure
from karyofast.segment import segment
from karyofast.straighten import straighten


@pytest.fixture(scope="module")
def picture(data_dir):
    return data_dir / "gband" / "annotated" / "1050224.jpg"


@pytest.fixture(scope="module")
def models():
    return load_models(Options())


@pytest.mark.benchmark(group="separation")
@pytest.mark.parametrize("method", ["axis", "rrt", "watershed"])
def test_separation(benchmark, picture, models, method):
    metaphase = read_metaphase(picture)
    candidates = detect(metaphase)
    benchmark(segment, metaphase, candidates, SegmentOptions(method=method), models.separator(metaphase.polarity))


@pytest.mark.benchmark(group="crops")
def test_straightening_a_cell(benchmark, picture, models):
    metaphase = read_metaphase(picture)
    found = segment(metaphase, detect(metaphase), separator=models.separator(metaphase.polarity))
    benchmark(lambda: [straighten(metaphase, one) for one in found])


@pytest.mark.benchmark(group="crops")
def test_classifying_a_cell(benchmark, picture, models):
    metaphase = read_metaphase(picture)
    found = segment(metaphase, detect(metaphase), separator=models.separator(metaphase.polarity))
    crops = [straighten(metaphase, one) for one in found]
    benchmark(classify, crops, models.classifier(metaphase.polarity), CellScale.of(crops))


@pytest.mark.benchmark(group="quality")
def test_measuring_a_metaphase(benchmark, picture, models):
    metaphase = read_metaphase(picture)
    found = segment(metaphase, detect(metaphase), separator=models.separator(metaphase.polarity))
    benchmark(measure, metaphase, found)


@pytest.mark.benchmark(group="whole way")
@pytest.mark.parametrize("second_look", [False, True], ids=["plain", "second-look"])
def test_the_whole_way(benchmark, picture, models, second_look):
    metaphase = read_metaphase(picture)
    options = Options(segment=SegmentOptions(second_look=second_look))
    benchmark(karyotype, metaphase, options, models)


@pytest.mark.benchmark(group="process")
def test_importing_karyofast(benchmark):
    benchmark(subprocess.run, [sys.executable, "-c", "import karyofast"], check=True)


@pytest.mark.benchmark(group="process")
def test_karyofast_run_of_one_picture(benchmark, picture, tmp_path):
    command = [sys.executable, "-m", "karyofast", "run", str(picture), "-o", str(tmp_path), "--force", "--quiet"]
    benchmark.pedantic(subprocess.run, [command], {"check": True, "capture_output": True}, rounds=3)
