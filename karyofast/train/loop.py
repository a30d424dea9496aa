"""What every training run shares: its folder, its learning rate, its checkpoints and its log."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from karyofast import config
from karyofast.errors import OptionError
from karyofast.files import replacing

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
OPTIONS = "options.toml"


@dataclass
class State:
    """What a checkpoint holds."""

    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0

    def save(self, folder: Path) -> None:
        """Write the checkpoint; a killed run leaves the former one."""
        path = folder / CHECKPOINT
        kept: dict[str, Any] = {
            "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step
        }  # fmt: skip
        with replacing(path) as temporary:
            torch.save(kept, temporary)

    def restore(self, folder: Path) -> bool:
        """Read the checkpoint of the folder; False when there is none."""
        path = folder / CHECKPOINT
        if not path.exists():
            return False
        kept = torch.load(path, weights_only=True)
        self.network.load_state_dict(kept["network"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.step = int(kept["step"])
        return True

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate


def claim(folder: Path, options: Any, resume: bool) -> None:
    """Write the options of a run into its folder, or check that the run in it has the same.

    Raises
    ------
    OptionError
        The folder holds a checkpoint of a run with other options.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / OPTIONS
    if resume and (folder / CHECKPOINT).exists():
        if config.load(written, type(options)) != options:
            raise OptionError(
                f"{folder} holds a run with other options ({OPTIONS}). "
                "Give another folder, or start anew with --no-resume."
            )
        return
    (folder / CHECKPOINT).unlink(missing_ok=True)
    (folder / LOG).unlink(missing_ok=True)
    config.save(written, options)


def log(folder: Path, figures: dict[str, Any]) -> None:
    """Append one line of figures to the run's log."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(figures) + "\n")


def one_cycle(done: float, warm: float) -> float:
    """Share of the peak learning rate: a rise over `warm`, then half a cosine down to nothing."""
    return done / warm + 1e-3 if done < warm else 0.5 * (1.0 + math.cos(math.pi * (done - warm) / (1.0 - warm)))
