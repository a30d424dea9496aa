"""A step of an adversarial training as a CUDA graph: captured once, then replayed in one launch.

The networks are small for a GPU: launching their some hundred kernels one by one takes longer than running them.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from karyofast.models.average import kept
from karyofast.models.mdgan import Gan
from karyofast.train.gan_step import Numbers, StepOptions, gan_step, move, step_numbers
from karyofast.train.loop import State

WARM = 3
"""Steps before the capture: libraries choose their kernels and the optimizer takes its memory meanwhile."""


class ReplayedStep:
    """`karyofast.train.gan_step.gan_step` on a GPU: the same steps, the first of them launched one by one.

    Parameters
    ----------
    state : State
        From `state_of`, restored if it is to be; networks on a GPU. It must not be restored again.
    how, augment, half
        As of `gan_step`; the options stay as they are, the rates can be set by `set_share`.
    """

    def __init__(self, state: State, how: StepOptions, augment: bool = False, half: bool = False) -> None:
        self._state, self._how, self._augment, self._half = state, how, augment, half
        self._warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        for group in state.optimizer.param_groups:
            # what a graph reads must lie on the GPU
            group["capturable"] = True
            group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device="cuda")
        for one in state.optimizer.state.values():
            one["step"] = one["step"].to("cuda")

    def __call__(self, real: Tensor, labels: Tensor | None, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """One step; parameters and losses as of `gan_step`, with the same shapes in every call."""
        if self._warm < WARM:
            self._warm += 1
            return self._aside(real, labels, rng)
        numbers = step_numbers(cast(Gan, self._state.network), real, rng, self._augment)
        graph = self._graph or self._captured(real, labels, numbers)
        for mine, new in zip(self._inputs, _flat(real, labels, numbers), strict=True):
            mine.copy_(new, non_blocking=True)
        self._share.fill_(kept(self._how.ema, self._state.step))
        graph.replay()
        self._state.step += 1
        return self._losses[0].clone(), self._losses[1].clone()

    def _aside(self, real: Tensor, labels: Tensor | None, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A step on a stream of its own, as a capture asks for."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            losses = gan_step(self._state, real, labels, rng, self._how, self._augment, self._half)
        torch.cuda.current_stream().wait_stream(aside)
        return losses

    def _captured(self, real: Tensor, labels: Tensor | None, numbers: Numbers) -> torch.cuda.CUDAGraph:
        """The graph, and the tensors that it reads and writes."""
        real, labels = real.clone(), None if labels is None else labels.clone()
        there = numbers.to("cuda")
        self._inputs = _flat(real, labels, there)
        self._share = torch.zeros((), device="cuda")
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._losses = move(self._state, real, labels, there, self._share, self._how, self._half)
        self._graph = graph
        return graph


def _flat(real: Tensor, labels: Tensor | None, numbers: Numbers) -> list[Tensor]:
    """All that a step is given."""
    return [one for one in (real, labels, *numbers.draws, numbers.changes) if one is not None]
