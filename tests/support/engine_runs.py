"""Runs that workers of an engine do: their models, and deaths among them."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from support.toy_pairs import dataset, rows

from aas_bench.rewards.base import RewardModel

PART_SIZE = 16


def pairs(n_prompts=66):
    """198 pairs whose placebos are other requests for the same captions."""
    return dataset({**row, "dimensions": ["clarity"]} for row in rows(n_prompts=n_prompts))


def light(images, prompts):
    """Darkness, and how long the prompt is."""
    return [
        np.asarray(i, dtype=float).mean() / 7 - len(p) for i, p in zip(images, prompts, strict=True)
    ]


class Telltale(RewardModel):
    """Scores that tell which images and which prompts shared a batch, in which order."""

    name = "telltale"
    batch_size = 8

    def encode_images(self, images):
        batch = sum(k * np.asarray(i, dtype=float).sum() for k, i in enumerate(images, 1))
        return [np.asarray(i, dtype=float).mean() + batch % 997 for i in images]

    def encode_prompts(self, prompts):
        batch = sum(k * len(p) * (1 + p.encode()[-1]) for k, p in enumerate(prompts, 1))
        return [len(p) + batch % 991 for p in prompts]

    def prompt_lengths(self, prompts):
        return np.array([len(p) for p in prompts])

    def combine(self, images, prompts):
        return np.array([i * p for i, p in zip(images, prompts, strict=True)])


class DiesOnce:
    """`light`, in a process that is killed where it meets its n-th image, once for a folder."""

    def __init__(self, folder, *, at):
        self.folder, self.at, self.n = Path(folder), at, 0
        self.__qualname__ = "DiesOnce"

    def __call__(self, images, prompts):
        self.n += len(images)
        mark = self.folder / "died"
        if self.n > self.at and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return light(images, prompts)


def slow(images, prompts):
    """`light`, with time to be interrupted in."""
    time.sleep(0.05)
    return light(images, prompts)


def darker(question, pictures):
    """A judge that always sees which picture is darker."""
    first, second = (np.asarray(picture, dtype=float).mean() for picture in pictures)
    return {"why": "darker", "choice": "first" if first < second else "second"}
