"""The override rate while something trains: batches of held-back pairs in, a few numbers out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel
from aas_bench.stats.estimate import Estimate, Ties
from aas_bench.stats.override import CELLS
from aas_bench.stats.placebo import placebo_from_four
from aas_bench.stats.preference import chosen
from aas_bench.stats.resolution import difference

try:
    from torchmetrics import Metric as Base
except ImportError:

    class Base:  # type: ignore[no-redef]
        """As much of torchmetrics' Metric as is needed where it is not installed."""

        def __init__(self) -> None:
            self._defaults: dict[str, list[Any]] = {}

        def add_state(self, name: str, default: list[Any], **_: Any) -> None:
            """Begin with no pairs."""
            self._defaults[name] = default
            setattr(self, name, copy(default))

        def reset(self) -> None:
            """Forget all pairs."""
            for name, default in self._defaults.items():
                setattr(self, name, copy(default))


SHARES: Final = ("chosen", "understood", "override_rate")
_LARGEST_CLUSTER: Final = 2**53


class OverrideMetric(Base):  # type: ignore[misc]
    """How often a reward model's taste wins over the request, on pairs kept back from training.

    Where torchmetrics is installed this is one of its metrics, with `forward`, `plot`, collections
    and the exchange between processes; it does not need it. The numbers are those of `summarise`
    on the same scores: `chosen` is the share of pairs whose asked-for image scores higher,
    `understood` and `override_rate` are estimated against the original prompt as the placebo.

    Args:
        ties: "original" counts equal scores as a choice of the polished image, "half" as half.
        confidence_level: Of the intervals, in (0, 1).

    Example:
        >>> metric = OverrideMetric()
        >>> metric.update([5, 5] * 9, [4, 4] * 9, [1, 1] * 9, [6, 3] * 9)
        >>> found = metric.compute()
        >>> found["n"], found["chosen"], found["understood"], found["override_rate"]
        (18, 0.5, 1.0, 0.5)
    """

    full_state_update = False
    higher_is_better = False
    is_differentiable = False

    def __init__(self, *, ties: Ties = "original", confidence_level: float = 0.95) -> None:
        super().__init__()
        self._options: dict[str, Any] = {"ties": ties, "confidence_level": confidence_level}
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(
        self,
        oiop: ArrayLike,
        oidp: ArrayLike,
        diop: ArrayLike,
        didp: ArrayLike,
        clusters: ArrayLike | None = None,
    ) -> None:
        """Add pairs.

        Args:
            oiop: Scores of the polished images under the plain prompts, shape (n,); arrays,
                lists or tensors, nan where there is none.
            oidp: Polished images, prompts that ask for something unpolished.
            diop: Unpolished images, plain prompts.
            didp: Unpolished images, the prompts that ask for them.
            clusters: Whole numbers, shape (n,): pairs that share one are not independent. None:
                all are.

        Raises:
            InputError: Lengths differ, or a cluster is no whole number.
        """
        cells = [_numbers(each) for each in (oiop, oidp, diop, didp)]
        n = len(cells[0])
        groups = np.full(n, np.nan) if clusters is None else _numbers(clusters)
        if {len(each) for each in (*cells, groups)} != {n}:
            lengths = ", ".join(str(len(each)) for each in (*cells, groups))
            msg = f"the columns have {lengths} numbers. Give one of each a pair."
            raise InputError(msg)
        if clusters is not None and not (
            np.all(groups == np.round(groups)) and np.all(np.abs(groups) < _LARGEST_CLUSTER)
        ):
            msg = "clusters must be whole numbers below 2**53. Number your prompts."
            raise InputError(msg)
        self.rows.append(self._kept(np.stack([*cells, groups], axis=1)))

    def score(
        self,
        reward: RewardModel,
        images: Sequence[tuple[Image.Image, Image.Image]],
        prompts: Sequence[tuple[str, str]],
        clusters: ArrayLike | None = None,
    ) -> None:
        """Score pairs with a reward model, here or remote, and add them.

        Args:
            reward: The reward model.
            images: (polished, unpolished) of each pair.
            prompts: (plain, asking for the unpolished) of each pair.
            clusters: As in `update`; None: pairs of one plain prompt share one.
        """
        if len(images) != len(prompts):
            msg = f"{len(images)} pairs of images but {len(prompts)} of prompts. Give as many."
            raise InputError(msg)
        cells = [(image, prompt) for image in (0, 1) for prompt in (0, 1)]
        scores = reward.score(
            [pair[image] for image, _ in cells for pair in images],
            [pair[prompt] for _, prompt in cells for pair in prompts],
        )
        oiop, oidp, diop, didp = scores.reshape(len(cells), len(images))
        if clusters is None:
            digests = (hashlib.sha256(plain.encode()).digest() for plain, _ in prompts)
            clusters = [int.from_bytes(digest[:6], "big") for digest in digests]
        self.update(oiop, oidp, diop, didp, clusters)

    def compute(self) -> dict[str, float | None]:
        """`n`, and of each of `SHARES` the value and its interval, `_low` and `_high`.

        What is undefined is None: all shares without pairs, the override rate where the reward
        model is not shown to read the requests.
        """
        rows = self._all()
        four = dict(zip(CELLS, rows[:, :4].T, strict=True))
        n = int(np.count_nonzero(~np.isnan(rows[:, :4]).any(axis=1)))
        found: dict[str, float | None] = {"n": n}
        estimates: dict[str, Estimate] = {}
        if n:
            options = {**self._options, "clusters": _clusters(rows[:, 4]), "on_missing": "drop"}
            placebo = placebo_from_four(*four.values(), **options)
            estimates = {
                "chosen": chosen(difference(four["didp"], four["oidp"]), **options),
                "understood": placebo.understood,
                "override_rate": placebo.override_rate,
            }
        for name in SHARES:
            told = estimates.get(name)
            for end, field in (("", "value"), ("_low", "low"), ("_high", "high")):
                found[name + end] = None if told is None else getattr(told, field)
        return found

    def log_to(
        self, run: Any, *, step: int | None = None, prefix: str = "held_back/"
    ) -> dict[str, float | None]:
        """Compute, and log what is defined.

        Args:
            run: What W&B's or trackio's `init` returns, or either module (`run.log(dict, step=)`);
                or TensorBoard's SummaryWriter (`run.add_scalar(name, value, step)`).
            step: Of the training.
            prefix: Before each name.

        Returns:
            As `compute`.

        Raises:
            InputError: `run` has neither method.
        """
        found = self.compute()
        told = {prefix + name: value for name, value in found.items() if value is not None}
        if hasattr(run, "add_scalar"):
            for name, value in told.items():
                run.add_scalar(name, value, step)
        elif hasattr(run, "log"):
            run.log(told, step=step)
        else:
            msg = f"a {type(run).__name__} has neither log nor add_scalar. Give a tracker's run."
            raise InputError(msg)
        return found

    def plot(self, values: Any = None, ax: Any = None) -> Any:
        """The three shares, of now or of what `compute` gave at several checkpoints.

        Needs torchmetrics and matplotlib.

        Args:
            values: A result of `compute` or a list of them; None: that of now.
            ax: matplotlib's axes to draw in.

        Returns:
            matplotlib's figure and axes.

        Raises:
            InputError: Either is not installed.
        """
        if find_spec("matplotlib") is None or Base.__module__ == __name__:
            msg = (
                "a plot needs two packages: pip install torchmetrics matplotlib. log_to needs none."
            )
            raise InputError(msg)
        import torch

        several = values if isinstance(values, list) else [values or self.compute()]
        shown = [
            {name: torch.tensor(np.nan if v[name] is None else v[name]) for name in SHARES}
            for v in several
        ]
        return self._plot(shown if isinstance(values, list) else shown[0], ax)

    def _kept(self, rows: NDArray[np.float64]) -> Any:
        if Base.__module__ == __name__:
            return rows
        import torch

        return torch.from_numpy(rows).to(self.device)

    def _all(self) -> NDArray[np.float64]:
        """All pairs; torchmetrics makes one tensor of the list when it has exchanged it."""
        parts = self.rows if isinstance(self.rows, list) else [self.rows]
        return np.concatenate([np.empty((0, 5)), *(np.asarray(_on_cpu(p)) for p in parts)])


def _numbers(values: Any) -> NDArray[np.float64]:
    try:
        found = np.asarray(_on_cpu(values), dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{values!r:.80} are no numbers. Give one a pair."
        raise InputError(msg) from error
    return found.reshape(-1)


def _on_cpu(values: Any) -> Any:
    """Tensors as what numpy reads, whatever they are on and in."""
    return values.detach().double().cpu().numpy() if hasattr(values, "detach") else values


def _clusters(groups: NDArray[np.float64]) -> NDArray[np.int64]:
    """The clusters as given; a pair without one is its own."""
    alone = np.isnan(groups)
    found = np.where(alone, 0, groups).astype(np.int64)
    found[alone] = found.max(initial=0) + 1 + np.arange(np.count_nonzero(alone))
    return found
