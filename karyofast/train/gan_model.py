"""A generator of chromosomes and its settings: its networks, drawing with it, keeping and loading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from karyofast import config
from karyofast.errors import OptionError
from karyofast.files import replacing
from karyofast.models.mdgan import Discriminator, Fed, Gan, Generator, Kind, Latent, Reading
from karyofast.models.store import find, write_manifest
from karyofast.train.gan_step import StepOptions
from karyofast.types import CLASSES

MODEL = "model"
"""Folder of the finished generator in its run folder."""

BATCH = 256
"""Pictures drawn at once."""


@dataclass(frozen=True)
class GanOptions:
    """Everything that decides a training run; written to its folder first."""

    kind: Kind = "mdgan"
    latent: Reading = "mixture"
    """how eq. 8 is read, see `karyofast.models.mdgan`; of MD-GAN alone"""
    conditional: bool = False
    """one network for all classes, told the class; else what it is given is one class, or labels are not heeded"""
    steps: int = 4000
    batch: int = 64
    size: tuple[int, int] = (64, 32)
    """(rows, columns) of a crop, multiples of 16"""
    width: int = 16
    """channels of the widest layers in rows; each doubling of the picture halves them from eight times this"""
    latent_size: int = 64
    """values that the generator is fed a picture"""
    distributions: int = 8
    """K of eq. 8; generators of MGAN"""
    gaussians: int = 8
    """n_j of eq. 9"""
    diffaugment: bool = True
    """change pictures before the discriminator sees them, see `karyofast.train.diffaugment`"""
    mirror: bool = True
    """left and right of a chromosome are one: half of the real crops are mirrored"""
    mixed: bool = True
    """bfloat16 where it is quick: on a GPU, and on a CPU that has it"""
    every: int = 100
    """steps between checkpoints, lines of the log, sample sheets and looks for a collapse"""
    grace: int = 1000
    """steps before a collapse is looked for: a generator begins with one picture"""
    least_diversity: float = 0.25
    """a generator whose pictures differ less than this, in shares of what real ones do, has collapsed"""
    seed: int = 0
    how: StepOptions = field(default_factory=StepOptions)

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "width", "latent_size", "distributions", "gaussians", "every"):
            if getattr(self, name) < (2 if name == "batch" else 1):
                raise OptionError(f"{name} must be positive, batch at least 2. Got: {getattr(self, name)!r}.")


class GanSampler:
    """Draws pictures with a trained generator.

    Parameters
    ----------
    generator : Generator
        The average of a training.
    options : GanOptions
    labels : sequence of int
        Classes that a conditional one was trained on.
    device : str
    """

    def __init__(self, generator: Fed, options: GanOptions, labels: tuple[int, ...] = (), device: str = "cpu") -> None:
        self.options, self.labels, self.device = options, labels, device
        self._generator = generator.to(device).eval()

    @torch.inference_mode()
    def sample(
        self, n: int, rng: np.random.Generator, label: int | NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Draw `n` pictures.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator
        label : int or int64 (n,), optional
            Index into `karyofast.types.CLASSES`, of one for all or of each; a conditional network needs it.

        Returns
        -------
        float32 (n, rows, columns)
            As what it was trained on: -1 is background.

        Raises
        ------
        OptionError
            A class that the network was not trained on, none where it needs one, or one where it knows none.
        """
        labels = self._checked(n, label)
        made = [np.zeros((0, *self.options.size), np.float32)]
        for first in range(0, n, BATCH):
            some = min(BATCH, n - first)
            draws = self._generator.latent.draw(some, rng).to(self.device)
            wanted = None if labels is None else torch.from_numpy(labels[first : first + some]).to(self.device)
            made.append(self._generator(draws, wanted)[:, 0].float().cpu().numpy())
        return np.concatenate(made)

    def _checked(self, n: int, label: int | NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        if not self.options.conditional:
            if label is not None:
                raise OptionError(f"label must be None: the network is not conditional. Got: {label!r}.")
            return None
        known = ", ".join(CLASSES[one] for one in self.labels)
        if label is None:
            raise OptionError(f"label must be a class of the conditional network ({known}). Got: None.")
        labels = np.broadcast_to(np.asarray(label, dtype=np.int64), (n,)).copy()
        if unknown := sorted(set(labels.tolist()) - set(self.labels)):
            raise OptionError(f"label must be a class that the network was trained on ({known}). Got: {unknown[0]}.")
        return labels

    def save(self, folder: Path, training: Mapping[str, Any]) -> None:
        """Write the model folder of a run; `training` says what it was trained on."""
        from safetensors.torch import save_file

        place = folder / MODEL
        place.mkdir(exist_ok=True)
        weights = place / "model.safetensors"
        with replacing(weights) as temporary:
            tensors = self._generator.state_dict().items()
            save_file({name: one.detach().cpu().contiguous() for name, one in tensors}, temporary)
        values = {
            "labels": list(self.labels),
            "classes": list(CLASSES),
            "options": asdict(self.options),
            "training": dict(training),
        }
        write_manifest(place, folder.name or MODEL, "generator", weights, values)


def gan_of(options: GanOptions, device: str = "cpu") -> Gan:
    """The networks of a run, with their first weights."""
    torch.manual_seed(options.seed)
    classes = len(CLASSES) if options.conditional else 0
    generators = options.distributions if options.kind == "mgan" else 1
    latent = Latent(options.kind, options.latent, options.latent_size, options.distributions, options.gaussians)
    generator = Generator(latent, options.size, options.width, classes, generators)
    discriminator = Discriminator(options.size, options.width, classes, generators)
    for module in (*generator.modules(), *discriminator.modules()):
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.02)
    gan = Gan(generator, discriminator)
    return gan.to(device, memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def load_gan(folder: Path, device: str = "cpu") -> GanSampler:
    """Load a finished generator.

    Parameters
    ----------
    folder : Path
        A run folder of `train_gan`, or the model folder in it.
    device : str

    Raises
    ------
    ModelError
        No finished generator there, or a broken one.
    """
    from safetensors.torch import load_file

    info = find(str(folder / MODEL if (folder / MODEL).is_dir() else folder) + "/", "generator")
    options = config.from_dict(GanOptions, info.values["options"], f"{info.folder}: ")
    generator = gan_of(options).average
    generator.load_state_dict(load_file(info.weights))
    return GanSampler(generator, options, tuple(info.values["labels"]), device)
