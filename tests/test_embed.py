"""The C library of csrc/embed_core.c, built by CMake: its candidates are those that the Python kernels give."""

import subprocess

import numpy as np
import pytest
from check_embed import build, hits, run

from karyofast import read_metaphase
from karyofast.kernels import component_tree, two_class_variance

PICTURES = ("gband/annotated/1071262.jpg", "mfish/A0502XY_dapi.png")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module", params=PICTURES)
def scene(request, program, data_dir, tmp_path_factory):
    metaphase = read_metaphase(data_dir / request.param)
    return metaphase, run(program, metaphase, tmp_path_factory.mktemp("picture"))


def expected_candidates(metaphase):
    """The rule of karyofast.h in NumPy: rows of box, area, Euler number, level, mean height, V."""
    dark = metaphase.grey if metaphase.polarity == "dark" else 255 - metaphase.grey
    tree = component_tree(dark, min_area=max(1, int(0.0003 * dark.size)))
    field = np.sort(dark.ravel())[(dark.size - 1) // 2].astype(float)
    height = field - tree.grey_sum / tree.area
    ratio = np.divide(field - tree.level, height, out=np.zeros(len(tree)), where=height > 0)
    above = np.zeros(len(tree) + 1)  # the last for roots
    before = np.zeros(len(tree))
    for at in range(len(tree) - 1, -1, -1):
        before[at] = above[tree.parent[at]]
        above[at] = max(ratio[at], before[at])
    keep = (ratio >= 0.4) & (before < 0.4) & (tree.area <= int(0.25 * dark.size)) & (tree.euler >= 1 - 6)
    at = np.flatnonzero(keep)
    at = at[np.argsort(height[at])]
    stain = np.cumsum(tree.area[at] * height[at])
    at = at[height[at] >= 0.3 * height[at][np.searchsorted(stain, 0.5 * stain[-1])]]
    variance = two_class_variance(dark, tree.box[at])
    even = np.sqrt(variance / np.prod(tree.box[at, 2:], axis=1)) <= 0.6 * height[at]
    level = tree.level if metaphase.polarity == "dark" else 255 - tree.level
    return sorted(
        (*tree.box[i].tolist(), int(tree.area[i]), int(tree.euler[i]), int(level[i]), height[i], v)
        for i, v in zip(at[even], variance[even], strict=True)
    )


def test_the_program_prints_the_candidates_that_the_python_kernels_give(scene):
    metaphase, found = scene
    expected = expected_candidates(metaphase)
    assert len(expected) > 30
    assert [(*one.box, one.area, one.euler, one.level) for one in found] == [one[:7] for one in expected]
    np.testing.assert_allclose([(one.height, one.variance) for one in found], [one[7:] for one in expected], rtol=1e-12)


def test_the_program_finds_what_detect_finds(scene):
    metaphase, found = scene
    count, hit = hits(metaphase, found)
    assert count > 30
    assert hit >= 0.9 * count
    assert len(found) <= 1.2 * count


def test_a_picture_that_is_no_pgm_is_named(program, tmp_path):
    wrong = tmp_path / "wrong.pgm"
    wrong.write_bytes(b"P2 1 1 255\n0")
    short = tmp_path / "short.pgm"
    short.write_bytes(b"P5\n# a comment\n9 9 255\n123")
    for path, words in ((wrong, "no binary PGM picture"), (short, "ends before its last pixel")):
        done = subprocess.run([str(program), str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert words in done.stderr
    assert subprocess.run([str(program)], capture_output=True, check=False).returncode == 2
