"""Small pair tables, made from nothing."""

import io

import numpy as np
from PIL import Image

WORDS = ["a cat", "two cups of coffee", "a rocket at night", "the old temple, rough and grey"]


def picture(seed, *, size=(12, 9)):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(image):
    return encoded(image)


def rows(n_prompts=5, generators=("one", "two", "three")):
    """Every generator draws every prompt; the prompts are shared, the images are not."""
    for g, generator in enumerate(generators):
        for i in range(n_prompts):
            original = f"{WORDS[i % len(WORDS)]} {i}"
            yield {
                "pair_id": f"{generator}/{i:04d}",
                "index": i,
                "model": generator,
                "image_original": {"bytes": png(picture(1000 * g + 2 * i)), "path": None},
                "image_distorted": {"bytes": png(picture(1000 * g + 2 * i + 1)), "path": None},
                "prompt_original": original,
                "prompt_distorted": f"{original}, blurred and crooked" + "!" * (i % 7),
                "dimensions": ["sharpness"],
                "label": 1,
                "dose": 0.25 * (i % 4),
            }


def dataset(table):
    from datasets import Dataset, Features, Value

    from aas_bench.tables.schema import pair_features

    table = list(table)
    extra = {"dose": Value("float64")} if table and "dose" in table[0] else {}
    return Dataset.from_list(table, features=Features({**pair_features(), **extra}))
