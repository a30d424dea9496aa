"""What the paper's experiments consist of: arms, trials, and the settings of the presets quick, medium and full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from karyofast.classify import Frame
from karyofast.errors import OptionError

Part = Literal["table1", "table2", "few", "figure6", "figure8", "figure9", "figure11", "detection"]
"""A table or figure; few: the arms that the paper lacks, over the number of cells trained on."""

Network = Literal["cnn", "mlp2", "mlp5", "sharma", "swati"]
Extra = Literal["none", "mdgan", "conditional", "simulated", "composed"]

PARTS: tuple[Part, ...] = get_args(Part)

PERSONS = (50, 100, 150, 200, 250)
"""np of Table 1: 46 np chromosomes are generated."""

CHROMOSOMES = 46

ALL_CELLS = 0
"""In place of a number of training cells: all that are there."""


@dataclass(frozen=True)
class Arm:
    """One way to train a classifier.

    Attributes
    ----------
    network : str
    extra : str
        What is added to the real chromosomes.
    persons : int
        np: 46 np chromosomes are added.
    affine : bool
        Whether what the network is shown is turned, stretched, shifted and mirrored.
    start : bool
        Whether the network starts from `PaperOptions.start` instead of random weights.
    balanced : bool
        Whether half of each batch is real, however much is added; else batches are drawn from all alike.
    """

    network: Network = "cnn"
    extra: Extra = "none"
    persons: int = 0
    affine: bool = False
    start: bool = False
    balanced: bool = False

    @property
    def key(self) -> str:
        """Name of its files."""
        parts = [self.network, *(["start"] if self.start else []), *(["affine"] if self.affine else [])]
        parts += [f"{self.extra}{self.persons}"] if self.persons else []
        return "-".join([*parts, *(["balanced"] if self.balanced else [])])


@dataclass(frozen=True)
class Trial:
    """One arm on one choice of training cells, with one seed; its result is one file."""

    arm: Arm
    cells: int
    seed: int

    @property
    def key(self) -> str:
        """Name of its file."""
        return f"{self.arm.key}_cells{self.cells or 'all'}_seed{self.seed}"


@dataclass(frozen=True)
class PaperOptions:
    """What every trial of a run folder shares; two folders with the same options can be compared."""

    preset: Literal["quick", "medium", "full"] = "quick"
    cnn: Literal["slim", "residual", "vgg16"] = "slim"
    """slim: `karyofast.models.convnet.SlimVgg`; residual: `karyofast.models.slim.Slim`"""
    start: str = ""
    """model that the arms with a start go on from; none: there are no such arms"""
    frozen: int = 0
    """convolutions of a start from the input on whose weights stay as they were (paper 5.4); of vgg16 alone"""
    frame: Frame = field(default_factory=Frame)
    steps: int = 400
    """of every training, whatever it is trained on"""
    batch: int = 32
    rate: float = 3e-3
    """peak of the one-cycle learning rate"""
    gan_steps: int = 200
    """of each of the 24 MD-GANs"""
    gan_batch: int = 16
    conditional_steps: int = 1000
    """of the conditional MD-GAN"""
    conditional_batch: int = 32
    gan_width: int = 8
    """`karyofast.train.gan_model.GanOptions.width`"""
    gan_rate: float = 1e-3
    conditional_rate: float = 3e-4
    """at the rate of the others the conditional one, which sees far more, collapses in so few steps"""
    gan_average: float = 0.98
    """share that the average of the generator keeps a step: fewer steps want a shorter one"""

    plane_steps: int = 4000
    """of each network of Figure 8"""

    def __post_init__(self) -> None:
        for name in ("steps", "gan_steps", "conditional_steps", "gan_width", "plane_steps"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1. Got: {getattr(self, name)!r}.")
        if self.batch < 2:
            raise OptionError(f"batch must be at least 2. Got: {self.batch!r}.")
        if self.frozen and self.cnn != "vgg16":
            raise OptionError(f"frozen must be 0 with a CNN other than vgg16. Got: {self.frozen!r} with {self.cnn}.")


@dataclass(frozen=True)
class Scope:
    """How much of the experiments is run; it may grow from one call to the next in the same run folder."""

    seeds: int = 3
    cells: tuple[int, ...] = (10, 25)
    """training sets of the part few; `ALL_CELLS`: all"""
    persons: tuple[int, ...] = PERSONS
    few_persons: int = 50
    """np of the arms of the part few"""
    without_affine: tuple[Extra, ...] = ("mdgan", "conditional", "simulated", "composed")
    """part few: what is added to networks without affine augmentation too; to those with it everything is"""
    plane_seeds: int = 5
    """of each kind of network of Figure 8"""

    def __post_init__(self) -> None:
        for name in ("seeds", "plane_seeds"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1. Got: {getattr(self, name)!r}.")
        for name, least in (("cells", ALL_CELLS), ("persons", 1)):
            if any(one < least for one in getattr(self, name)):
                raise OptionError(f"{name} must be at least {least} each. Got: {getattr(self, name)!r}.")


QUICK = PaperOptions(frame=Frame(rows=64, columns=16, median_rows=28.0, widening=1.2), plane_steps=2000)
MEDIUM = PaperOptions(
    preset="medium",
    cnn="residual",
    start="g-band-fast",
    frame=Frame(rows=112, columns=32, median_rows=48.0, widening=1.2),
    steps=1000,
    batch=64,
    rate=1.5e-3,
    gan_steps=400,
    gan_batch=32,
    conditional_steps=4000,
    conditional_batch=64,
    gan_width=16,
    gan_rate=5e-4,
    conditional_rate=5e-4,
    gan_average=0.99,
)
FULL = PaperOptions(
    preset="full",
    cnn="vgg16",
    start="g-band",
    frozen=4,
    steps=2000,
    batch=64,
    rate=1.5e-3,
    gan_steps=4000,
    gan_batch=64,
    conditional_steps=20000,
    conditional_batch=64,
    gan_width=16,
    gan_rate=2e-4,
    conditional_rate=2e-4,
    gan_average=0.999,
)
PRESETS: dict[str, tuple[PaperOptions, Scope]] = {
    "quick": (QUICK, Scope(cells=(10,), persons=(50, 250), without_affine=("mdgan",), plane_seeds=1)),
    "medium": (MEDIUM, Scope()),
    "full": (FULL, Scope(seeds=5, cells=(5, 10, 25, 50, 100))),
}


def table1_arms(scope: Scope) -> list[Arm]:
    """The CNN alone, then with 46 np generated chromosomes, as in Table 1 and Figure 11."""
    return [Arm(), *(Arm(extra="mdgan", persons=persons) for persons in scope.persons)]


def table2_arms(options: PaperOptions) -> dict[str, Arm]:
    """The rows of Table 2 by the paper's names, and ours."""
    return {
        "CNN": Arm(),
        "CNN+50MG": Arm(extra="mdgan", persons=50),
        "Two layer MLP": Arm("mlp2"),
        "Five layer MLP": Arm("mlp5"),
        "Sharma et al.": Arm("sharma"),
        "Swati et al.": Arm("swati"),
        "ours": Arm(affine=True, start=bool(options.start)),
    }


def few_arms(options: PaperOptions, scope: Scope) -> list[Arm]:
    """What is added without affine augmentation, then everything with it; then nothing added from a start.

    Beside few cells what is added would be nearly all that a network is shown, so half of each batch is real.
    """
    every: tuple[Extra, ...] = ("mdgan", "conditional", "simulated", "composed")
    arms = []
    for affine, extras in ((False, scope.without_affine), (True, every)):
        arms.append(Arm(affine=affine))
        arms += [Arm(extra=extra, persons=scope.few_persons, affine=affine, balanced=True) for extra in extras]
    if options.start:
        arms += [Arm(affine=affine, start=True) for affine in (False, True)]
    return arms


def trials(parts: Sequence[Part], options: PaperOptions, scope: Scope) -> list[Trial]:
    """The trials that the parts need, each once, seed by seed: a run cut short has whole seeds."""
    wanted: dict[Trial, None] = {}
    for seed in range(scope.seeds):
        arms: list[tuple[Arm, int]] = []
        if "table1" in parts or "figure11" in parts:
            arms += [(arm, ALL_CELLS) for arm in table1_arms(scope)]
        if "table2" in parts:
            arms += [(arm, ALL_CELLS) for arm in table2_arms(options).values()]
        if "few" in parts:
            arms += [(arm, cells) for cells in scope.cells for arm in few_arms(options, scope)]
        wanted |= dict.fromkeys(Trial(arm, cells, seed) for arm, cells in arms)
    return list(wanted)


def groups(planned: Sequence[Trial]) -> list[list[Trial]]:
    """Trials in groups that can be run at the same time: what is added to the trials of one is made once, by the first.

    Those with generators come first of a seed: they take longest.
    """
    together: dict[tuple[int, bool, str, int], list[Trial]] = {}
    for trial in planned:
        extra = trial.arm.extra
        shared = extra in ("mdgan", "conditional", "composed")
        key = (trial.seed, extra != "mdgan", extra if shared else trial.key, trial.cells)
        together.setdefault(key, []).append(trial)
    return [together[key] for key in sorted(together, key=lambda key: key[:2])]
