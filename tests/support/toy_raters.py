"""A rater whose ratings follow from the pixels, with a known answer for each dimension."""

import time

import numpy as np

from aas_bench.judges.rated import Rater, Ratings
from aas_bench.tasks.taxonomy import DIMENSIONS


class ToyRater(Rater):
    """The mark of dimension d is 2 with probability (brightness + d) / 512, else 0."""

    batch_size = 2

    def __init__(self, name="toy", pause=0.0):
        self.name, self.pause, self.n_seen = name, pause, 0

    def identity(self):
        return {"toy": self.name}

    def rate(self, images):
        time.sleep(self.pause)
        self.n_seen += len(images)
        bright = [np.asarray(image.convert("L")).mean() for image in images]
        two = (np.array(bright)[:, None] + np.arange(len(DIMENSIONS))) / 512
        three = np.stack([1 - two, np.zeros_like(two), two], axis=-1)
        mass = np.full(two.shape, 0.9)
        return Ratings(dimensions=tuple(DIMENSIONS), probability=three, mass=mass)


def slow_rating(folder, n):
    """A run that a test kills, in a process of its own."""
    from support.loopback_judge import dark_pairs

    from aas_bench.run.judge import judge

    judge(dark_pairs(n), ToyRater(pause=0.15), by="dimensions", **places(folder), progress=False)


def places(folder):
    return {"out": folder / "run", "cache": folder / "cache"}
