import logging
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from karyofast.errors import ImageError, OptionError
from karyofast.io import (
    MAX_BYTES,
    SUFFIXES,
    expand_inputs,
    metaphase_from_array,
    read_metaphase,
    write_png,
)


def scene(bright=False):
    """A field of 80 x 100 px with six bars for chromosomes, 40 (or 210) on 230 (or 20), uint8."""
    grey = np.full((80, 100), 20 if bright else 230, np.uint8)
    for k in range(6):
        grey[15:60, 8 + 15 * k : 14 + 15 * k] = 210 if bright else 40
    return grey


BARS = scene() == 40


def assert_bars(metaphase):
    assert metaphase.flags == ()
    assert metaphase.polarity == "dark"
    assert metaphase.shape == (80, 100)
    assert metaphase.grey.dtype == metaphase.density.dtype == np.uint8
    assert metaphase.density[BARS].min() > 100
    assert metaphase.density[~BARS].max() < 40


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg", ".PNG"])
def test_eight_bit_grey_is_read_from_every_format(tmp_path, suffix):
    path = tmp_path / f"cell{suffix}"
    assert cv2.imwrite(str(path), scene())
    metaphase = read_metaphase(path)
    assert metaphase.name == "cell"
    if suffix in (".jpg", ".jpeg"):
        # JPEG rings at the bars' edges
        assert np.mean(metaphase.density[BARS] > 100) > 0.95
    else:
        assert_bars(metaphase)
        assert np.array_equal(metaphase.grey, scene())


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_is_scaled_to_eight(tmp_path, suffix):
    # a 12 bit camera: scaled by its own range, not by 256
    wide = scene().astype(np.uint16) * 16
    path = tmp_path / f"wide{suffix}"
    assert cv2.imwrite(str(path), wide)
    assert_bars(read_metaphase(path))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint32])
def test_wider_numbers_in_a_tiff_are_scaled(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "f.tif", scene().astype(dtype) * 3)
    assert_bars(read_metaphase(tmp_path / "f.tif"))


def test_a_tiff_whose_white_is_zero_is_turned(tmp_path):
    tifffile.imwrite(tmp_path / "w.tif", 255 - scene(), photometric="miniswhite")
    assert_bars(read_metaphase(tmp_path / "w.tif"))


def test_a_planar_colour_tiff_is_one_picture(tmp_path):
    planes = np.stack([scene()] * 3)
    tifffile.imwrite(tmp_path / "p.tif", planes, photometric="rgb", planarconfig="separate")
    assert_bars(read_metaphase(tmp_path / "p.tif"))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_colour_is_averaged(tmp_path, suffix):
    path = tmp_path / f"colour{suffix}"
    assert cv2.imwrite(str(path), np.repeat(scene()[:, :, None], 3, axis=2))
    assert_bars(read_metaphase(path))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_is_left_out(tmp_path, suffix):
    four = np.repeat(scene()[:, :, None], 4, axis=2)
    four[..., 3] = np.arange(100, dtype=np.uint8)
    path = tmp_path / f"alpha{suffix}"
    assert cv2.imwrite(str(path), four)
    assert_bars(read_metaphase(path))


def test_grey_with_alpha_is_read_as_grey(tmp_path):
    two = np.stack([scene(), np.full_like(scene(), 77)], axis=2)
    (tmp_path / "ga.png").write_bytes(png(two, colour=4))
    assert_bars(read_metaphase(tmp_path / "ga.png"))


def test_a_palette_is_resolved(tmp_path):
    # index 0 is the background although it is the lowest number
    indices = BARS.astype(np.uint8)
    palette = bytes([230, 230, 230, 40, 40, 40])
    (tmp_path / "palette.png").write_bytes(png(indices, colour=3, palette=palette))
    assert_bars(read_metaphase(tmp_path / "palette.png"))


def test_a_palette_tiff_is_resolved(tmp_path):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, 0], colours[:, 1] = 230 * 257, 40 * 257
    tifffile.imwrite(tmp_path / "pal.tif", BARS.astype(np.uint8), photometric="palette", colormap=colours)
    assert_bars(read_metaphase(tmp_path / "pal.tif"))


def png(array, colour, palette=None, size=None):
    """A PNG of an array (rows, columns[, channels]) made by hand; `size` (width, height) lies in the header."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width, height = size or array.shape[1::-1]
    rows = b"".join(b"\0" + row.tobytes() for row in array)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))]
    parts += [chunk(b"PLTE", palette)] if palette else []
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")])


def test_of_several_pages_the_first_is_read_and_flagged(tmp_path, caplog):
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for page in (scene(), np.zeros((30, 40), np.uint8), np.zeros((30, 40), np.uint8)):
            file.write(page)
    with caplog.at_level(logging.WARNING, logger="karyofast.io"):
        metaphase = read_metaphase(tmp_path / "pages.tif")
    assert metaphase.flags == ("multi-page",)
    assert np.array_equal(metaphase.grey, scene())
    assert "3 pages" in caplog.text
    assert "pages.tif" in caplog.text


def assert_refused(path, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        read_metaphase(path)
    assert str(path) in str(caught.value)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    assert_refused(tmp_path / "empty.png", "empty file")


def test_text_named_png_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("this is no picture\n" * 50)
    assert_refused(tmp_path / "text.png", "no picture that can be decoded")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_file_cut_after_its_header_is_refused(tmp_path, suffix):
    path = tmp_path / f"cut{suffix}"
    assert cv2.imwrite(str(path), scene())
    path.write_bytes(path.read_bytes()[:30])
    assert_refused(path, "decoded|broken")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_jpeg_that_lost_its_end_is_refused(tmp_path, share):
    noise = np.random.default_rng(0).integers(0, 255, (80, 100), np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "cut.jpg").write_bytes(data[: int(share * len(data))])
    assert_refused(tmp_path / "cut.jpg", "broken one")


def test_what_a_camera_appends_to_a_jpeg_does_no_harm(tmp_path):
    # a preview behind the picture, with a scan of its own that has no end
    data = cv2.imencode(".jpg", scene(), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    (tmp_path / "more.jpg").write_bytes(data + b"\xff\xda" + bytes(50))
    assert read_metaphase(tmp_path / "more.jpg").shape == (80, 100)


def test_a_jpeg_marker_may_be_padded(tmp_path):
    data = cv2.imencode(".jpg", scene(), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    (tmp_path / "padded.jpg").write_bytes(data[:2] + b"\xff\xff" + data[2:])
    assert read_metaphase(tmp_path / "padded.jpg").shape == (80, 100)


def test_a_tiff_whose_packed_pixels_are_cut_is_refused(tmp_path):
    path = tmp_path / "packed.tif"
    noise = np.random.default_rng(0).integers(0, 255, (80, 100), np.uint8)
    tifffile.imwrite(path, noise, compression="zlib")
    path.write_bytes(path.read_bytes()[:4000])
    assert_refused(path, "broken TIFF")


def test_files_with_wrong_bytes_in_them_are_read_or_refused_and_raise_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    sources = []
    for settings in ({}, {"compression": "zlib"}, {"tile": (32, 32)}):
        tifffile.imwrite(tmp_path / "whole.tif", scene(), **settings)
        sources.append(("tif", (tmp_path / "whole.tif").read_bytes()))
    sources += [(kind, cv2.imencode(f".{kind}", scene())[1].tobytes()) for kind in ("png", "jpg", "bmp")]
    refused = []
    for number in range(120):
        kind, whole = sources[number % len(sources)]
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 300), 3):
            data[place] = rng.integers(256)
        path = tmp_path / f"wrong.{kind}"
        path.write_bytes(data)
        try:
            assert read_metaphase(path).density.dtype == np.uint8
        except ImageError as error:
            refused.append((str(path), str(error)))
    assert len(refused) > 10
    assert all(path in message for path, message in refused)


@pytest.mark.parametrize("left", [4, 9, 60, 400, 2000])
def test_a_cut_tiff_is_refused(tmp_path, left):
    tifffile.imwrite(tmp_path / "cut.tif", scene(), compression="zlib" if left < 100 else None)
    whole = (tmp_path / "cut.tif").read_bytes()
    assert len(whole) > left
    (tmp_path / "cut.tif").write_bytes(whole[:left])
    assert_refused(tmp_path / "cut.tif", "broken TIFF")


@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_a_compressed_tiff_is_read(tmp_path, compression):
    path = tmp_path / "packed.tif"
    assert cv2.imwrite(str(path), scene().astype(np.uint16) * 16, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    assert_bars(read_metaphase(path))


def test_a_cut_tiff_of_lzw_is_refused(tmp_path):
    path = tmp_path / "cut.tif"
    noise = np.random.default_rng(0).integers(0, 255, (80, 100), np.uint8)
    assert cv2.imwrite(str(path), noise, [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    path.write_bytes(path.read_bytes()[:4000])
    assert_refused(path, "TIFF")


def test_random_bytes_behind_a_tiff_header_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / f"noise{number}.tif"
        path.write_bytes(b"II*\0" + struct.pack("<I", 8) + rng.bytes(300))
        assert_refused(path, "TIFF|pixels|image of|numbers")


def test_a_picture_of_four_hundred_million_pixels_is_refused_by_its_header(tmp_path):
    header = png(np.zeros((1, 1), np.uint8), colour=0, size=(20_000, 20_000))
    (tmp_path / "large.png").write_bytes(header)
    assert_refused(tmp_path / "large.png", "20000 x 20000 pixels")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("large.bmp", b"BM" + bytes(12) + struct.pack("<III", 40, 60_000, 60_000) + bytes(40)),
        ("large.pgm", b"P5\n70000 70000\n255\n" + bytes(100)),
        ("large.jpg", b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + bytes(100)),
    ],
)
def test_a_header_of_billions_of_pixels_is_refused_in_other_formats(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert_refused(tmp_path / name, "pixels|decoded")


def test_a_tiff_of_a_gigapixel_is_refused_by_its_header(tmp_path):
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, scene())
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        places = [(tags[name].valueoffset, tags[name].dtype) for name in ("ImageWidth", "ImageLength")]
    data = bytearray(path.read_bytes())
    for offset, kind in places:
        form = "<H" if kind == 3 else "<I"
        struct.pack_into(form, data, offset, 32_000)
    path.write_bytes(bytes(data))
    assert_refused(path, "32000 x 32000 pixels")


def test_a_folder_is_refused(tmp_path):
    assert_refused(tmp_path, "is a folder")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert_refused(tmp_path / "pipe.png", "a pipe, a socket or a device")


def test_a_file_too_large_for_memory_is_refused_by_its_size(tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: it takes no room
    assert_refused(path, f"has {MAX_BYTES + 1} bytes")


def test_a_format_whose_size_is_not_checked_is_refused(tmp_path):
    (tmp_path / "grey.pgm").write_bytes(b"P5\n20 20\n255\n" + bytes(400))
    assert_refused(tmp_path / "grey.pgm", "TIFF, PNG, JPEG, BMP")


def test_a_file_that_has_gone_is_refused(tmp_path):
    assert_refused(tmp_path / "gone.png", "cannot be read: No such file")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "barred.png"
    write_png(path, scene())

    def barred(self):
        raise PermissionError(13, "Permission denied", str(self))

    # the mode of a file does not bar root, who runs tests in containers
    monkeypatch.setattr(Path, "read_bytes", barred)
    assert_refused(path, "Permission denied")


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (0, 0, 3)])
def test_an_array_without_pixels_is_refused(shape):
    with pytest.raises(ImageError, match="must have pixels"):
        metaphase_from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(), (5,), (4, 4, 5), (2, 4, 4, 3)])
def test_an_array_that_is_no_image_is_refused(shape):
    with pytest.raises(ImageError, match="height, width"):
        metaphase_from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad, tmp_path):
    array = scene().astype(np.float32)
    array[3, 4] = bad
    with pytest.raises(ImageError, match="NaN or infinity"):
        metaphase_from_array(array)
    tifffile.imwrite(tmp_path / "nan.tif", array)
    assert_refused(tmp_path / "nan.tif", "NaN or infinity")


@pytest.mark.parametrize("array", [np.full((20, 20), "a"), np.full((20, 20), None), np.ones((20, 20), complex)])
def test_what_is_no_number_is_refused(array):
    with pytest.raises(ImageError, match="must hold numbers"):
        metaphase_from_array(array)


@pytest.mark.parametrize("array", [np.full((20, 20, 3), "a"), np.ones((20, 20, 3), complex)])
def test_colours_that_are_no_numbers_are_refused(array):
    with pytest.raises(ImageError, match="must hold numbers"):
        metaphase_from_array(array)


@pytest.mark.parametrize("polarity", ["auto", "dark", "bright"])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 1), np.uint8),
        np.full((1, 300), 9, np.uint8),
        np.full((60, 60), 255, np.uint8),
        np.zeros((60, 60), np.uint8),
        np.zeros((60, 60), np.uint16),
        np.full((60, 60), 0.5, np.float64),
        np.zeros((60, 60), bool),
        np.zeros((60, 60, 3), np.uint8),
        scene()[:10, :10],
    ],
    ids=["1x1", "line", "white", "black", "black16", "flat float", "flat bool", "black colour", "tiny"],
)
def test_a_picture_that_shows_nothing_is_blank(array, polarity):
    metaphase = metaphase_from_array(array, polarity=polarity)
    assert "blank" in metaphase.flags
    assert metaphase.shape == array.shape[:2]
    assert not metaphase.density.any()


def test_noise_of_a_flat_field_is_blank():
    noise = np.random.default_rng(0).normal(128, 1.0, (100, 100))
    assert "blank" in metaphase_from_array(np.rint(noise).astype(np.uint8)).flags


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_camera_noise_alone_is_blank_although_scaling_stretches_it(dtype):
    noise = np.random.default_rng(0).normal(100, 4.0, (200, 200))
    assert "blank" in metaphase_from_array(noise.astype(dtype)).flags


def test_a_noisy_picture_of_chromosomes_is_not_blank():
    noisy = scene() + np.random.default_rng(0).normal(0, 20.0, (80, 100))
    metaphase = metaphase_from_array(np.clip(noisy, 0, 255).astype(np.uint8))
    assert metaphase.flags == ()
    assert metaphase.polarity == "dark"


def test_a_one_pixel_file_is_blank(tmp_path):
    write_png(tmp_path / "one.png", np.zeros((1, 1), np.uint8))
    assert read_metaphase(tmp_path / "one.png").flags == ("blank",)


def test_the_array_stays_the_callers(tmp_path):
    array = scene()
    metaphase = metaphase_from_array(array)
    array[:] = 0
    assert metaphase.grey.any()
    with pytest.raises(ValueError, match="read-only"):
        metaphase.grey[0, 0] = 1


@pytest.mark.parametrize("bright", [False, True])
def test_polarity_is_found_and_can_be_set(bright):
    found = metaphase_from_array(scene(bright))
    assert found.polarity == ("bright" if bright else "dark")
    assert found.density[BARS].min() > 100
    other = metaphase_from_array(scene(bright), polarity="dark" if bright else "bright")
    assert other.polarity == ("dark" if bright else "bright")
    assert other.density[BARS].max() == 0


def test_a_polarity_that_does_not_exist_is_refused():
    with pytest.raises(OptionError, match=r"must be 'auto', 'dark' or 'bright'\. Got: 'grey'"):
        metaphase_from_array(scene(), polarity="grey")


def test_every_real_g_band_metaphase_is_dark_on_bright(data_dir):
    files = sorted((data_dir / "gband").glob("*/*.jpg"))
    assert len(files) == 40
    wrong = [file.name for file in files if read_metaphase(file).polarity != "dark"]
    assert wrong == []


def test_real_dapi_metaphases_are_bright_on_dark(data_dir):
    files = sorted((data_dir / "mfish").glob("*_dapi.png"))[::5]
    assert len(files) >= 25
    wrong = [file.name for file in files if read_metaphase(file).polarity != "bright"]
    assert wrong == []


def test_inputs_are_files_folders_and_patterns_each_once(tmp_path):
    for name in ("b.png", "a.TIF", "c.jpeg", "notes.txt", "odd.dat"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "d.bmp").write_bytes(b"x")
    (tmp_path / "deep" / "folder.png").mkdir()
    names = [one.name for one in expand_inputs([tmp_path, tmp_path / "b.png"])]
    assert names == ["a.TIF", "b.png", "c.jpeg"]
    assert [one.name for one in expand_inputs([tmp_path / "odd.dat"])] == ["odd.dat"]
    assert [one.name for one in expand_inputs([str(tmp_path / "**" / "*.*")])] == [
        "a.TIF",
        "b.png",
        "c.jpeg",
        "d.bmp",
    ]
    assert all(suffix == suffix.lower() for suffix in SUFFIXES)


@pytest.mark.parametrize("name", ["none.png", "*.png", "empty"])
def test_an_input_that_names_nothing_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=r"no such file|without pictures") as caught:
        expand_inputs([tmp_path / name])
    assert name in str(caught.value)


def test_a_name_of_nothing_among_files_is_kept_and_fails_when_it_is_read(tmp_path):
    write_png(tmp_path / "a.png", scene())
    files = expand_inputs([tmp_path / "gone.png", tmp_path / "a.png", tmp_path / "a.png"])
    assert [file.name for file in files] == ["gone.png", "a.png"]
    assert_refused(files[0], "No such file")


def test_no_inputs_at_all_are_refused():
    with pytest.raises(ImageError, match="no such file"):
        expand_inputs([])


def test_a_file_whose_name_holds_brackets_is_a_file(tmp_path):
    (tmp_path / "cell[1].png").write_bytes(b"x")
    assert expand_inputs([tmp_path / "cell[1].png"]) == [tmp_path / "cell[1].png"]


def test_a_written_picture_keeps_its_colours(tmp_path):
    colours = np.zeros((20, 20, 3), np.uint8)
    colours[..., 0] = 200
    write_png(tmp_path / "red.png", colours)
    # OpenCV reads blue first
    assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 200]
    with pytest.raises(ImageError, match=r"bad\.png"):
        write_png(tmp_path / "bad.png", np.zeros((0, 0), np.uint8))
