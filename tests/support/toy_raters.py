"""A rater whose ratings follow from the pixels, with a known answer for each dimension."""

import time

import numpy as np

from aas_bench.judges.dimension_rater import Ratings
from aas_bench.tasks.taxonomy import DIMENSIONS


class ToyRater:
    """The mark of dimension d is 2 with probability (brightness + d) / 512, else 0."""

    preamble = "bright or dark?"
    questions = dict.fromkeys(DIMENSIONS, "how bright?")

    def __init__(self, name="toy", pause=0.0):
        self.name, self.pause, self.n_seen = name, pause, 0

    def identity(self):
        return {"toy": self.name}

    def rate(self, images):
        time.sleep(self.pause)
        self.n_seen += len(images)
        bright = [np.asarray(image.convert("L")).mean() for image in images]
        two = (np.array(bright)[:, None] + np.arange(len(self.questions))) / 512
        three = np.stack([1 - two, np.zeros_like(two), two], axis=-1)
        mass = np.full(two.shape, 0.9)
        return Ratings(dimensions=tuple(self.questions), probability=three, mass=mass)


def slow_rating(out, n):
    """A run that a test kills, in a process of its own."""
    from support.loopback_judge import dark_pairs

    from aas_bench.run.judge import judge

    judge(dark_pairs(n), ToyRater(pause=0.15), by="dimensions", out=out, progress=False)
