import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyofast import config, toml
from karyofast.config import (
    ArrangeOptions,
    ClassifyOptions,
    DetectOptions,
    Options,
    SegmentOptions,
    SimulateOptions,
)
from karyofast.errors import KaryofastError, OptionError

OTHER = Options(
    polarity="bright",
    detect=DetectOptions(method="mser", connectivity=4, filter_geometry=False, filter_variance=False),
    segment=SegmentOptions(method="rrt", model="mine/axis", second_look=False, relevance_weight=0.25),
    classify=ClassifyOptions(model="q-band", batch=7),
    arrange=ArrangeOptions(sex_with_groups=True, missing_price=3.5, outlier=0.01),
)


@pytest.mark.parametrize(
    "options", [Options(), OTHER, SimulateOptions(), SimulateOptions(stain="dapi", size=(300, 400), bend=0.5)]
)
def test_settings_come_back_from_toml_as_they_were(options, tmp_path):
    config.save(tmp_path / "options.toml", options)
    assert config.load(tmp_path / "options.toml", type(options)) == options
    assert config.from_dict(type(options), config.to_dict(options)) == options


@given(
    st.builds(
        ArrangeOptions,
        sex_with_groups=st.booleans(),
        missing_price=st.floats(0.0, 20.0),
        gain_price=st.floats(0.0, 20.0),
        confidence=st.floats(0.5, 0.999),
    )
)
def test_any_number_survives_toml_to_the_last_bit(tmp_path_factory, options):
    path = tmp_path_factory.mktemp("toml") / "options.toml"
    config.save(path, options)
    assert config.load(path, ArrangeOptions) == options


def test_a_file_that_names_a_few_settings_leaves_the_others_as_they_are(tmp_path):
    path = tmp_path / "few.toml"
    path.write_text('polarity = "dark"\n[segment]\nmethod = "rrt"\n')
    expected = dataclasses.replace(Options(), polarity="dark", segment=SegmentOptions(method="rrt"))
    assert config.load(path, Options) == expected
    path.write_text("")
    assert config.load(path, Options) == Options()


def test_a_whole_number_is_taken_where_a_decimal_one_is_meant():
    options = config.from_dict(SegmentOptions, {"relevance_weight": 1})
    assert options.relevance_weight == 1.0
    assert type(options.relevance_weight) is float


def test_a_list_becomes_the_pair_it_stands_for():
    assert config.from_dict(SimulateOptions, {"size": [300, 200]}).size == (300, 200)


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        (Options, {"polarty": "dark"}, "polarty is no setting. Allowed: arrange, classify"),
        (Options, {"segment": {"methode": "rrt"}}, "segment.methode is no setting"),
        (Options, {"polarity": "grey"}, r"polarity must be one of .*'dark', 'bright'.*Got: 'grey'"),
        (Options, {"segment": {"method": "magic"}}, r"segment.method must be one of .*'rrt'.*Got: 'magic'"),
        (Options, {"detect": {"connectivity": 6}}, r"detect.connectivity must be one of \(4, 8\)\. Got: 6"),
        (Options, {"detect": 3}, "detect must be a table of settings. Got: 3"),
        (Options, {"detect": {"filter_geometry": 1}}, "detect.filter_geometry must be of type bool. Got: 1"),
        (Options, {"classify": {"batch": "many"}}, "classify.batch must be of type int. Got: 'many'"),
        (Options, {"classify": {"batch": True}}, "classify.batch must be of type int. Got: True"),
        (Options, {"classify": {"batch": 2.5}}, "classify.batch must be of type int. Got: 2.5"),
        (Options, {"classify": {"model": 7}}, "classify.model must be of type str. Got: 7"),
        (Options, {"segment": {"relevance_weight": "0.4"}}, "relevance_weight must be of type float"),
        (Options, {"segment": {"relevance_weight": False}}, "relevance_weight must be of type float"),
        (Options, {"segment": {"relevance_weight": 1.5}}, "segment.relevance_weight must be 0 to 1. Got: 1.5"),
        (Options, {"classify": {"batch": 0}}, "classify.batch must be 1 to 4096. Got: 0"),
        (Options, {"arrange": {"gain_price": -1}}, "arrange.gain_price must be 0 to 100. Got: -1"),
        (SimulateOptions, {"size": 300}, "size must be a list of 2 values. Got: 300"),
        (SimulateOptions, {"size": [300]}, r"size must be a list of 2 values. Got: \[300\]"),
        (SimulateOptions, {"size": [300, "200"]}, "size must be of type int. Got: '200'"),
        (SimulateOptions, {"bands": "550"}, "bands must be one of"),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_what_is_allowed(kind, values, told):
    with pytest.raises(OptionError, match=told):
        config.from_dict(kind, values)


def test_errors_of_settings_are_value_errors():
    with pytest.raises(ValueError, match="no setting") as caught:
        config.from_dict(Options, {"nothing": 1})
    assert isinstance(caught.value, KaryofastError)


@pytest.mark.parametrize("content", [b"polarity = dark", b"\xff\xfe", b"[segment", b"a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path, content):
    (tmp_path / "broken.toml").write_bytes(content)
    with pytest.raises(OptionError, match=r"broken\.toml: cannot be read as TOML"):
        config.load(tmp_path / "broken.toml", Options)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(OptionError, match=r"gone\.toml: cannot be read"):
        config.load(tmp_path / "gone.toml", Options)


def test_a_wrong_value_in_a_file_is_refused_with_the_files_name(tmp_path):
    (tmp_path / "wrong.toml").write_text("[classify]\nbatch = 'x'\n")
    with pytest.raises(OptionError, match=r"wrong\.toml: classify\.batch must be of type int"):
        config.load(tmp_path / "wrong.toml", Options)


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().polarity = "dark"


def test_what_is_written_is_plain_toml(tmp_path):
    config.save(tmp_path / "options.toml", OTHER)
    values = toml.read(tmp_path / "options.toml")
    assert values["segment"]["method"] == "rrt"
    assert set(values) == {field.name for field in dataclasses.fields(Options)}


@dataclasses.dataclass(frozen=True)
class Line:
    """What a file must give: a name, and any number of points."""

    name: str
    points: tuple[tuple[float, float], ...] = ()


def test_a_list_of_any_length_is_checked_value_by_value():
    assert config.from_dict(Line, {"name": "a", "points": [[1, 2], [3, 4.5]]}) == Line("a", ((1.0, 2.0), (3.0, 4.5)))
    with pytest.raises(OptionError, match="points must be a list of 2 values"):
        config.from_dict(Line, {"name": "a", "points": [[1, 2], [3]]})
    with pytest.raises(OptionError, match="points must be of type float"):
        config.from_dict(Line, {"name": "a", "points": [[1, "2"]]})


def test_a_value_without_a_default_must_be_given():
    with pytest.raises(OptionError, match=r"^line: name must be given"):
        config.from_dict(Line, {"points": []}, "line: ")
