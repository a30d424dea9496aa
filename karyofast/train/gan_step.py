"""One step of an adversarial training (paper eq. 7), the same for pictures and for points of the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from karyofast.models.average import kept
from karyofast.models.mdgan import Draws, Gan, Judged
from karyofast.train.diffaugment import diffaugment, draw_changes
from karyofast.train.loop import State


class Numbers(NamedTuple):
    """Random numbers of one step, drawn on the CPU so that every device takes the same step.

    Attributes
    ----------
    draws : Draws
        What is generated.
    changes : float32 (3, 6, n), or None
        How the real ones, the generated ones, and these for the generator's own step are changed before the
        discriminator sees them, see `karyofast.train.diffaugment.draw_changes`.
    """

    draws: Draws
    changes: Tensor | None

    def to(self, device: str) -> Numbers:
        """The same on a device."""
        changes = None if self.changes is None else self.changes.to(device, non_blocking=True)
        return Numbers(self.draws.to(device), changes)


@dataclass(frozen=True)
class StepOptions:
    """How the two networks are moved."""

    rate: float = 2e-4
    """learning rate of the generator (Adam)"""
    ahead: float = 1.0
    """learning rate of the discriminator, in shares of the generator's"""
    momentum: float = 0.5
    """of Adam: the first moment; the second is 0.99"""
    ema: float = 0.999
    """share that the average of the generator keeps a step"""
    telling: float = 0.1
    """weight of telling the generators apart (MGAN)"""
    naming: float = 0.5
    """weight of telling the class, of a conditional network: of real ones for the discriminator, of its own for the
    generator"""


def state_of(gan: Gan, how: StepOptions) -> State:
    """Both networks with one Adam: it leaves alone what has no gradient, so each loss moves its own network."""
    groups: list[dict[str, Any]] = [
        {"params": list(gan.generator.parameters()), "lr": how.rate},
        {"params": list(gan.discriminator.parameters()), "lr": how.ahead * how.rate},
    ]
    on_cpu = next(gan.parameters()).device.type == "cpu"
    # fused, a step of networks this small takes four fifths of the time; a CUDA graph does without
    return State(gan, torch.optim.Adam(groups, betas=(how.momentum, 0.99), fused=on_cpu))


def settled_share(step: int, steps: int, settle: float = 0.5) -> float:
    """Share of the rates at a step: in the last part, `settle`, they fall to nothing: what circles comes to rest."""
    return min(1.0, (1.0 - step / steps) / settle) if settle else 1.0


def set_share(state: State, how: StepOptions, share: float) -> None:
    """Set the learning rates to a share of those of `how`."""
    for group, rate in zip(state.optimizer.param_groups, (how.rate, how.ahead * how.rate), strict=True):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(share * rate)
        else:
            group["lr"] = share * rate


def step_numbers(gan: Gan, real: Tensor, rng: np.random.Generator, augment: bool) -> Numbers:
    """Random numbers of a step on `real` (n, ...); for pictures that are changed (n, 1, rows, columns)."""
    draws = gan.generator.latent.draw(len(real), rng)
    if not augment:
        return Numbers(draws, None)
    changes = [draw_changes(len(real), (real.shape[2], real.shape[3]), rng) for _ in range(3)]
    return Numbers(draws, torch.from_numpy(np.stack(changes)))


def gan_step(
    state: State,
    real: Tensor,
    labels: Tensor | None,
    rng: np.random.Generator,
    how: StepOptions,
    augment: bool = False,
    half: bool = False,
) -> tuple[Tensor, Tensor]:
    """Move the discriminator, then the generator, then its average.

    The generator makes log S(G(Z)) large instead of log(1 - S(G(Z))) small: the same optimum as in eq. 7, with a
    gradient also while the discriminator is sure (Goodfellow et al., 2014, section 3).

    Parameters
    ----------
    state : State
        From `state_of`.
    real : float32 (n, ...)
    labels : int64 (n,), optional
        Classes, for a conditional network; the generated ones get the same.
    rng : numpy.random.Generator
        What is generated and how it is changed depends on it alone.
    how : StepOptions
    augment : bool
        Change real and generated ones by `karyofast.train.diffaugment.diffaugment`; these are pictures then.
    half : bool
        Compute in bfloat16 where autocast does.

    Returns
    -------
    discriminator, generator : float32 ()
        The losses before the step; not read here, for a GPU would have to be waited for.
    """
    numbers = step_numbers(cast(Gan, state.network), real, rng, augment).to(str(real.device))
    losses = move(state, real, labels, numbers, kept(how.ema, state.step), how, half)
    state.step += 1
    return losses


def move(
    state: State,
    real: Tensor,
    labels: Tensor | None,
    numbers: Numbers,
    share: float | Tensor,
    how: StepOptions,
    half: bool,
) -> tuple[Tensor, Tensor]:
    """The part of `gan_step` that computes: no random number is drawn and no value read, so it can be replayed."""
    gan = cast(Gan, state.network)
    gan.generator.train()
    gan.discriminator.train()
    device = real.device
    changes: Sequence[Tensor | None] = (None, None, None) if numbers.changes is None else tuple(numbers.changes)

    def judged(ones: Tensor, change: Tensor | None) -> Judged:
        said: Judged = gan.discriminator(ones if change is None else diffaugment(ones, change), labels)
        return said.float()

    # a cache of casts would be freed while a CUDA graph still reads it
    cast_to = torch.autocast(device.type, torch.bfloat16, enabled=half, cache_enabled=device.type == "cpu")
    with cast_to:
        made = gan.generator(numbers.draws, labels).float()
        of_real, of_made = judged(real, changes[0]), judged(made.detach(), changes[1])
    lost = softplus(-of_real.score).mean() + softplus(of_made.score).mean()
    lost = lost + _told(of_made.made_by, numbers.draws.which, how.telling) + _told(of_real.named, labels, how.naming)
    _descend(state, lost)
    gan.discriminator.requires_grad_(False)
    with cast_to:
        of_made = judged(made, changes[2])
    won = softplus(-of_made.score).mean()
    won = won + _told(of_made.made_by, numbers.draws.which, how.telling) + _told(of_made.named, labels, how.naming)
    _descend(state, won)
    gan.discriminator.requires_grad_(True)
    gan.follow(share)
    return lost.detach(), won.detach()


def _told(logits: Tensor | None, which: Tensor | None, weight: float) -> Tensor | float:
    return 0.0 if logits is None or which is None else weight * cross_entropy(logits, which)


def _descend(state: State, loss: Tensor) -> None:
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
