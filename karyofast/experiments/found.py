"""What a run has found, and how its numbers are read: arms compared over seeds, sentences that follow from figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from karyofast.experiments.cost import Cost
from karyofast.experiments.plan import ALL_CELLS, Arm, PaperOptions, Part, Scope, Trial
from karyofast.experiments.statistics import LEVEL, Difference, Spread, holm, paired, spread
from karyofast.experiments.trial import Result
from karyofast.train.plane_study import PlaneRow

EXTRAS = {
    "none": "",
    "mdgan": "MD-GAN",
    "conditional": "conditional MD-GAN, DiffAugment",
    "simulated": "simulated",
    "composed": "composed",
}


@dataclass(frozen=True)
class Found:
    """A run, as far as it has come.

    Attributes
    ----------
    folder : Path
    parts : tuple of str
    options : PaperOptions
    scope : Scope
    cells : int
        Cells of the training split.
    unseen : int
        Chromosomes that are read for the scores.
    cost : Cost or None
    plane : tuple of PlaneRow
        Figure 8.
    results : dict of Trial to Result
    """

    folder: Path
    parts: tuple[Part, ...]
    options: PaperOptions
    scope: Scope
    cells: int = 0
    unseen: int = 0
    cost: Cost | None = None
    plane: tuple[PlaneRow, ...] = ()
    results: dict[Trial, Result] = field(default_factory=dict)

    def by_seed(self, arm: Arm, cells: int = ALL_CELLS, measure: str = "PT") -> dict[int, float]:
        """Accuracy in percent of an arm, seed -> accuracy, of the trials that are done."""
        values = {}
        for seed in range(self.scope.seeds):
            result = self.results.get(Trial(arm, cells, seed))
            value = result.accuracy(measure) if result else None
            if value is not None:
                values[seed] = 100.0 * value
        return values

    def spread(self, arm: Arm, cells: int = ALL_CELLS, measure: str = "PT") -> Spread | None:
        """Mean and spread of an arm over its seeds, in percent."""
        return spread(list(self.by_seed(arm, cells, measure).values()))

    def missing(self, arms: Sequence[Arm]) -> list[str]:
        """Classes that were not generated in some trial of the arms."""
        names = {name for trial, one in self.results.items() if trial.arm in arms for name in one.missing}
        return sorted(names, key=lambda name: (len(name), name))


@dataclass(frozen=True)
class Comparison:
    """An arm against another one on the same training cells."""

    arm: Arm
    base: Arm
    cells: int
    difference: Difference
    corrected: float
    """chance, corrected by Holm for all comparisons made together"""

    @property
    def verdict(self) -> str:
        """Better, worse, or not told apart, at `LEVEL`."""
        if self.corrected >= LEVEL:
            return "not told apart"
        return "better" if self.difference.mean > 0 else "worse"


def compare(found: Found, pairs: Sequence[tuple[Arm, Arm, int]]) -> list[Comparison]:
    """Compare arms with their bases, (arm, base, cells) each, where both have at least two seeds."""
    each = []
    for arm, base, cells in pairs:
        difference = paired(found.by_seed(arm, cells), found.by_seed(base, cells))
        if difference:
            each.append((arm, base, cells, difference))
    corrected = holm([one[3].chance for one in each])
    return [Comparison(*one, chance) for one, chance in zip(each, corrected, strict=True)]


def arm_name(arm: Arm, options: PaperOptions) -> str:
    """An arm in words."""
    networks = {"mlp2": "two layer MLP", "mlp5": "five layer MLP", "sharma": "Sharma et al.", "swati": "Swati et al."}
    parts = [networks.get(arm.network, "CNN")]
    parts += [f"from {options.start}"] if arm.start else []
    parts += ["affine"] if arm.affine else []
    parts += [f"{EXTRAS[arm.extra]} np {arm.persons}"] if arm.persons else []
    return " + ".join(parts)


def few_pairs(arms: Sequence[Arm], cells: Sequence[int]) -> list[tuple[Arm, Arm, int]]:
    """Each arm against the same network with the same augmentation and nothing added; affine against none."""
    pairs = []
    for count in cells:
        for arm in arms:
            base = Arm(affine=arm.affine and arm.extra != "none")
            if arm != base:
                pairs.append((arm, base, count))
    return pairs


def conclusion(comparisons: Sequence[Comparison], found: Found) -> list[str]:
    """What the arms of the part few say, in sentences."""
    if not comparisons:
        return ["One seed alone: whether two arms differ cannot be said. Run more with --seeds."]
    said = []
    for cells in dict.fromkeys(one.cells for one in comparisons):
        here = [one for one in comparisons if one.cells == cells]
        plain = next((one for one in here if one.arm == Arm(affine=True)), None)
        if plain:
            said.append(f"{_cells(cells)}: affine augmentation alone changes PT by {_change(plain)}.")
        added = [one for one in here if one.arm.affine and one.arm.extra != "none"]
        better = [one for one in added if one.verdict == "better"]
        if better:
            best = max(better, key=lambda one: one.difference.mean)
            said.append(f"On top of it {_named(best, found)} helps most, by {_change(best)}.")
        elif added:
            best = max(added, key=lambda one: one.difference.mean)
            said.append(
                f"On top of it nothing that was added helps measurably; the best, {_named(best, found)}, "
                f"changes PT by {_change(best)}."
            )
    generators = [one for one in comparisons if one.arm.extra in ("mdgan", "conditional")]
    for affine, what in ((False, "without augmentation"), (True, "once affine augmentation is in")):
        mine = [one for one in generators if one.arm.affine == affine]
        helped = [f"{_named(one, found)} at {_cells(one.cells)}" for one in mine if one.verdict == "better"]
        harmed = [f"{_named(one, found)} at {_cells(one.cells)}" for one in mine if one.verdict == "worse"]
        if mine:
            said.append(
                f"Generated chromosomes {what}: better in {len(helped)} of {len(mine)} comparisons"
                f"{_list(helped)}, worse in {len(harmed)}{_list(harmed)}."
            )
    return said


def _list(names: Sequence[str]) -> str:
    return f" ({'; '.join(names)})" if names else ""


def _cells(count: int) -> str:
    return f"{count} cells" if count else "all training cells"


def _named(one: Comparison, found: Found) -> str:
    return arm_name(one.arm, found.options)


def _change(one: Comparison) -> str:
    change = one.difference
    return (
        f"{change.mean:+.1f} points (95 % interval {change.low:+.1f} to {change.high:+.1f}, "
        f"p {one.corrected:.3f} after Holm, {change.seeds} seeds: {one.verdict})"
    )


def tell_change(one: Comparison) -> str:
    """A difference with its interval, chance and verdict, in words."""
    return _change(one)
