"""One step of an adversarial training (paper eq. 7), the same for pictures and for points of the plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from karyofast.models.mdgan import Gan
from karyofast.train.loop import State

Change = Callable[[Tensor, np.random.Generator], Tensor]
"""What is done to real and generated ones before the discriminator sees them."""


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


def state_of(gan: Gan, how: StepOptions) -> State:
    """Both networks with one Adam: it leaves alone what has no gradient, so each loss moves its own network."""
    groups: list[dict[str, Any]] = [
        {"params": list(gan.generator.parameters()), "lr": how.rate},
        {"params": list(gan.discriminator.parameters()), "lr": how.ahead * how.rate},
    ]
    return State(gan, torch.optim.Adam(groups, betas=(how.momentum, 0.99)))


def set_share(state: State, how: StepOptions, share: float) -> None:
    """Set the learning rates to a share of those of `how`."""
    for group, rate in zip(state.optimizer.param_groups, (how.rate, how.ahead * how.rate), strict=True):
        group["lr"] = share * rate


def gan_step(
    state: State,
    real: Tensor,
    labels: Tensor | None,
    rng: np.random.Generator,
    how: StepOptions,
    change: Change | None = None,
    half: bool = False,
) -> tuple[float, float]:
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
    change : callable, optional
        Such as `karyofast.train.diffaugment.diffaugment`.
    half : bool
        Compute in bfloat16 where autocast does.

    Returns
    -------
    discriminator, generator : float
        The losses before the step.
    """
    gan = cast(Gan, state.network)
    gan.generator.train()
    gan.discriminator.train()
    device = real.device
    draws = gan.generator.latent.draw(len(real), rng).to(str(device))
    changed = change or (lambda ones, _: ones)

    def judged(ones: Tensor) -> tuple[Tensor, Tensor | None]:
        score, made_by = gan.discriminator(changed(ones, rng), labels)
        return score.float(), None if made_by is None else made_by.float()

    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        made = gan.generator(draws, labels).float()
        of_real, of_made = judged(real), judged(made.detach())
    lost = softplus(-of_real[0]).mean() + softplus(of_made[0]).mean() + _told(of_made[1], draws.which, how)
    _move(state, lost)
    gan.discriminator.requires_grad_(False)
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        score, made_by = judged(made)
    won = softplus(-score).mean() + _told(made_by, draws.which, how)
    _move(state, won)
    gan.discriminator.requires_grad_(True)
    gan.follow(how.ema, state.step)
    state.step += 1
    return float(lost.detach()), float(won.detach())


def _told(made_by: Tensor | None, which: Tensor, how: StepOptions) -> Tensor | float:
    return 0.0 if made_by is None else how.telling * cross_entropy(made_by, which)


def _move(state: State, loss: Tensor) -> None:
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
