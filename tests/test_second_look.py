import numpy as np

from karyofast.arrange import arrange
from karyofast.second_look import Way, choose
from karyofast.types import CLASSES, Label


def label(name: str, sure: float = 0.97) -> Label:
    row = np.full(24, (1 - sure) / 23, np.float32)
    row[CLASSES.index(name)] = sure
    return Label(row)


def way(*names: str, sure: float = 0.97) -> Way:
    return Way((), (), tuple(label(name, sure) for name in names))


def cost(labels):
    return arrange(labels).cost


NORMAL = [name for name in CLASSES[:22] for _ in range(2)] + ["X", "Y"]


def singles(names):
    return [[way(name)] for name in names]


def test_a_joined_pair_is_cut_when_the_pieces_are_what_the_cell_lacks():
    rest = [name for name in NORMAL if name != "8"]
    ways = [*singles(rest), [way("1", sure=0.4), way("8", "8")]]
    assert choose(ways, cost)[-1] is ways[-1][1]


def test_a_chromosome_cut_in_two_is_joined_when_the_whole_is_what_the_cell_lacks():
    rest = list(NORMAL)
    rest.remove("2")
    ways = [*singles(rest), [way("13", "16", sure=0.5), way("2")]]
    assert choose(ways, cost)[-1] is ways[-1][1]


def test_a_clear_extra_chromosome_is_not_hidden_to_reach_46():
    rest = [name for name in NORMAL if name != "21"]
    ways = [*singles(rest), [way("21", "21", "21", sure=0.99), way("20", "21", sure=0.3)]]
    assert choose(ways, cost)[-1] is ways[-1][0]


def test_the_first_way_stands_when_the_labels_hardly_tell():
    ways = [*singles(NORMAL[:-2]), [way("X", "Y", sure=0.970), way("X", "Y", sure=0.972)]]
    assert choose(ways, cost)[-1] is ways[-1][0]


def test_nothing_to_choose_gives_the_first_ways_without_asking():
    def never(labels):
        raise AssertionError("asked for a cost")

    ways = singles(NORMAL)
    assert choose(ways, never) == [options[0] for options in ways]
    assert choose([], never) == []
