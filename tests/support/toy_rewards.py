"""Reward models small enough to compute by hand, that count what they are asked."""

from collections import Counter

import numpy as np

from aas_bench.rewards.base import RewardModel

PROMPT_LIMIT = 40


def seen(image):
    """Four numbers of a picture."""
    pixels = np.asarray(image, dtype=np.float64)
    return np.array([pixels.mean(), pixels.std(), pixels[0, 0, 0], pixels[-1, -1, 2]]) / 255


def read(prompt):
    """Four numbers of a text."""
    codes = np.frombuffer(prompt.encode() or b"\0", dtype=np.uint8).astype(np.float64)
    return np.array([codes.mean(), codes.std(), codes[0], len(codes)]) / 100


class Counting(RewardModel):
    """Counts the items of each call, and the largest batch."""

    def __init__(self, name="toy"):
        self.name = name
        self.n = Counter()
        self.largest = Counter()
        self.images = Counter()
        self.prompts = Counter()

    def note(self, method, items):
        assert len(items) > 0
        self.n[method] += len(items)
        self.largest[method] = max(self.largest[method], len(items))

    def truncated(self, prompts):
        return np.array([len(prompt) > PROMPT_LIMIT for prompt in prompts])

    def describe(self):
        return {"name": self.name, "class": type(self).__name__}


class ToyDual(Counting):
    """Dot product of the two features."""

    batch_size = 8

    def encode_images(self, images):
        self.note("images", images)
        self.images.update(image.tobytes() for image in images)
        return [seen(image) for image in images]

    def encode_prompts(self, prompts):
        self.note("prompts", prompts)
        self.prompts.update(prompts)
        return [read(prompt) for prompt in prompts]

    def combine(self, images, prompts):
        self.note("combine", images)
        return np.array([float(i @ p) for i, p in zip(images, prompts, strict=True)])


class ToyCross(Counting):
    """Reads the prompt against the image: no dot product; batches by the prompt's length."""

    batch_size = 4

    def encode_images(self, images):
        self.note("images", images)
        return [{"grid": seen(image), "size": image.size} for image in images]

    def encode_prompts(self, prompts):
        self.note("prompts", prompts)
        return list(prompts)

    def prompt_lengths(self, prompts):
        return np.array([len(prompt) for prompt in prompts])

    def combine(self, images, prompts):
        self.note("combine", images)
        return np.array(
            [
                float(np.tanh(i["grid"] * read(p)).sum() * i["size"][0])
                for i, p in zip(images, prompts, strict=True)
            ]
        )


def length_and_light(images, prompts):
    """A plain function as a reward model."""
    return [
        np.asarray(i, dtype=float).mean() - len(p) for i, p in zip(images, prompts, strict=True)
    ]
