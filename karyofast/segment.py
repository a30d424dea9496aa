"""Segment: candidates to single chromosomes (paper section 4, and what beats it)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from karyofast import segment_arms, segment_axis, segment_rrt, segment_watershed
from karyofast.config import SegmentOptions
from karyofast.errors import OptionError
from karyofast.segment_lift import Lifted, Separator, typical_width
from karyofast.types import Candidate, Chromosome, Dropped, Metaphase

HELD_FOR_DIRT = "held for dirt"
"""Flag of a chromosome in which the separator sees none."""

MOST_IN_ONE = 3
"""Pieces up to which a cluster is also offered whole: nobody cuts one chromosome into more."""


def segment(
    metaphase: Metaphase,
    candidates: Sequence[Candidate],
    options: SegmentOptions = SegmentOptions(),  # noqa: B008 (frozen)
    separator: Separator | None = None,
) -> list[Chromosome]:
    """Separate touching and crossing chromosomes.

    Parameters
    ----------
    metaphase : Metaphase
    candidates : sequence of Candidate
    options : SegmentOptions
        ``method``: "axis" (learned lifted medial axes), "arms" (the same network, read plainly), "rrt" (the paper's
        ring radius transform), "watershed", or "none" (each candidate is taken for one chromosome).
    separator : Separator, optional
        The network of "axis" and "arms"; the other methods need none.

    Returns
    -------
    list of Chromosome
        In the order of the candidates; an overlap belongs to every chromosome that covers it.

    Raises
    ------
    OptionError
        "axis" or "arms" without a separator.
    """
    if options.learned:
        if separator is None:
            raise OptionError(
                f"method {options.method!r} must be given a separator. Got: None. Load one with pipeline.load_models."
            )
        decode = segment_arms.find_cores if options.method == "arms" else None
        return segment_axis.separate(metaphase, candidates, separator, decode)
    if options.method == "none":
        return [Chromosome(one.box, one.mask, candidate=number) for number, one in enumerate(candidates)]
    if options.method == "rrt":
        pieces_of = segment_rrt.separate_all(metaphase, candidates, options)
    else:
        pieces_of = [segment_watershed.watershed(metaphase, one) for one in candidates]
    return [replace(piece, candidate=number) for number, pieces in enumerate(pieces_of) for piece in pieces]


def unseparated(candidates: Sequence[Candidate], chromosomes: Sequence[Chromosome]) -> list[Dropped]:
    """The candidates of which no chromosome came, for a reviewer to see."""
    used = {one.candidate for one in chromosomes}
    return [
        Dropped(one.box, one.mask, "segment", "separation finds no chromosome in it")
        for number, one in enumerate(candidates)
        if number not in used
    ]


def ways(
    metaphase: Metaphase, candidates: Sequence[Candidate], options: SegmentOptions, lifted: Lifted
) -> list[list[list[Chromosome]]]:
    """The ways in which each candidate may be cut, for `karyofast.second_look`.

    Parameters
    ----------
    metaphase : Metaphase
    candidates : sequence of Candidate
    options : SegmentOptions
    lifted : Lifted

    Returns
    -------
    list of list of list of Chromosome
        For each candidate: the learned separator's way first, then its ways at other levels and by arms, that of the
        ring radius transform, and a small cluster, or what the separator holds for dirt, as one chromosome. Pieces
        that several ways share are the same objects.
    """
    offered = segment_axis.partitions(metaphase, candidates, lifted, others=[segment_arms.find_cores])
    width = typical_width(candidates)
    asked = [candidate for candidate, known in zip(candidates, offered, strict=True) if known != [[]]]
    by_radius = iter(segment_rrt.separate_all(metaphase, asked, options, width))
    for number, (candidate, known) in enumerate(zip(candidates, offered, strict=True)):
        if known == [[]]:
            # held for dirt: taken back where it is read as what the cell lacks
            known.append([Chromosome(candidate.box, candidate.mask, candidate=number, flags=(HELD_FOR_DIRT,))])
            continue
        others = [[replace(one, candidate=number) for one in next(by_radius)]]
        if 1 < len(known[0]) <= MOST_IN_ONE:
            others.append([Chromosome(candidate.box, candidate.mask, candidate=number)])
        for other in others:
            way = [segment_axis.known_piece(one, known, width) for one in other]
            if not any(segment_axis.alike(way, one) for one in known):
                known.append(way)
    return offered
