import json

import pytest

from karyofast.edit_script import Add, Cut, Drop, Flip, Join, Relabel, Script, from_trail, read_script
from karyofast.errors import OptionError

EACH = [
    {"op": "cut", "chromosome": 12, "line": [[310, 118], [331.5, 140]]},
    {"op": "join", "chromosomes": [3, 17]},
    {"op": "add", "polygon": [[402, 88], [415, 90], [412, 131]]},
    {"op": "drop", "chromosome": 40},
    {"op": "relabel", "chromosome": 46, "to": "21"},
    {"op": "flip", "chromosome": 5},
]


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_every_operation_is_read_in_its_order(tmp_path):
    script = read_script(written(tmp_path / "e.json", {"operations": EACH, "masks": "abc"}))
    assert script.operations == (
        Cut(12, ((310, 118), (331.5, 140))),
        Join((3, 17)),
        Add(((402, 88), (415, 90), (412, 131))),
        Drop(40),
        Relabel(46, "21"),
        Flip(5),
    )
    assert (script.masks, len(script.sha256)) == ("abc", 64)


def test_a_script_may_name_several_pictures(tmp_path):
    path = written(tmp_path / "e.json", {"pictures": {"a": {"operations": EACH[:1]}, "b": {"operations": EACH[3:4]}}})
    scripts = read_script(path)
    assert {name: one.operations for name, one in scripts.items()} == {
        "a": (Cut(12, ((310, 118), (331.5, 140))),),
        "b": (Drop(40),),
    }
    assert scripts["b"].name(1) == f"{path}: b: operation 1 (drop)"


def test_the_trail_gives_the_script_back(tmp_path):
    script = read_script(written(tmp_path / "e.json", {"operations": EACH}))
    told = json.loads(json.dumps({"edits": [script.trail("masks before", "1.2")]}))
    (back,) = from_trail(told, "karyotype.json")
    assert back == Script(script.operations, script.sha256, "karyotype.json", "masks before")
    assert told["edits"][0]["karyofast"] == "1.2"
    assert from_trail({"edits": []}, "karyotype.json") == ()
    with pytest.raises(OptionError, match=r"k\.json: is no karyotype\.json that tells of its edits"):
        from_trail({"image": "a"}, "k.json")


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ({"op": "melt", "chromosome": 1}, r'operation 2: must have an "op" of cut, join, add, drop, relabel, flip'),
        ("drop", r'operation 2: must have an "op"'),
        ({"op": ["cut"]}, r'operation 2: must have an "op"'),
        ({"op": "cut", "chromosome": 1}, r"operation 2 \(cut\): line must be given"),
        ({"op": "cut", "chromosome": 1, "line": [[1, 2]]}, r"\(cut\): line must be 2 or more points"),
        ({"op": "cut", "chromosome": 1, "line": [[1, 2], [3]]}, r"\(cut\): line must be a list of 2 values"),
        ({"op": "cut", "chromosome": 1, "line": [[1, 2], [3, "4"]]}, r"\(cut\): line must be of type float"),
        (
            {"op": "cut", "chromosome": 1, "line": [[1, 2], [3, float("nan")]]},
            r"\(cut\): line must be 2 or more points",
        ),
        ({"op": "cut", "chromosome": True, "line": [[1, 2], [3, 4]]}, r"\(cut\): chromosome must be of type int"),
        ({"op": "join", "chromosomes": [3]}, r"\(join\): chromosomes must be two or more different ones"),
        ({"op": "join", "chromosomes": [3, 3]}, r"\(join\): chromosomes must be two or more different ones"),
        ({"op": "join", "chromosomes": 3}, r"\(join\): chromosomes must be a list"),
        ({"op": "add", "polygon": [[1, 2], [3, 4]]}, r"\(add\): polygon must be 3 or more points"),
        ({"op": "drop", "chromosome": 1, "why": "debris"}, r"\(drop\): why is no setting. Allowed: chromosome"),
        ({"op": "relabel", "chromosome": 1, "to": "23"}, r"\(relabel\): to must be one of 1, 2, "),
        ({"op": "relabel", "chromosome": 1, "to": 21}, r"\(relabel\): to must be of type str"),
        ({"op": "flip"}, r"\(flip\): chromosome must be given"),
    ],
)
def test_a_wrong_operation_is_refused_with_file_number_and_reason(tmp_path, operation, reason):
    path = written(tmp_path / "wrong.json", {"operations": [EACH[3], operation]})
    with pytest.raises(
        OptionError, match=rf"wrong\.json: {reason}" if reason.startswith("operation") else reason
    ) as told:
        read_script(path)
    assert str(told.value).startswith(f"{path}: operation 2")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "cannot be read as a script"),
        ([], r'must be \{"operations"'),
        ({"operations": []}, "operations must not be empty"),
        ({"operations": {}}, r'must be \{"operations"'),
        ({"operations": EACH, "note": "x"}, r'must be \{"operations"'),
        ({"operations": EACH, "masks": 3}, "masks must be the text"),
        ({"pictures": {"a": []}}, r'a: must be \{"operations"'),
    ],
)
def test_a_file_that_is_no_script_is_refused(tmp_path, content, reason):
    with pytest.raises(OptionError, match=rf"e\.json: {reason}"):
        read_script(written(tmp_path / "e.json", content))
    with pytest.raises(OptionError, match=r"none\.json: cannot be read"):
        read_script(tmp_path / "none.json")
