"""Score tables and pairs for the report, made from a seed."""

import numpy as np
import pandas as pd
from PIL import Image

CELLS = ("oiop", "oidp", "diop", "didp")
DIMENSIONS = ("emotion", "clarity", "background")


def score_frame(
    n=60,
    rewards=("alpha", "beta"),
    *,
    seed=0,
    labels=True,
    originals=True,
    wordings=1,
    doses=False,
    cuts=False,
):
    """`n` items in 20 clusters; each reward mixes a response to the prompt with taste."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        shared = {
            "index": i % 20,
            "model": "maker",
            "dimensions": [DIMENSIONS[i % 3], DIMENSIONS[(i + 1) % 3]][: 1 + i % 2],
            "prompt_original": f"a cat {i}",
        }
        if labels:
            shared["label"] = int(rng.choice([1, 1, 1, 0, -1]))
        if doses:
            shared |= {"scene": f"scene {i % 5}", "effect": f"effect {i % 2}", "dose": i % 4 / 4}
        for wording in range(wordings):
            row = {**shared, "prompt_distorted": f"a blurred cat {i}, wording {wording}"}
            row["pair_id"] = f"maker/{i:04d}/{wording}"
            if wordings > 1:
                row |= {"item": f"item {i}", "wording": wording}
            for k, reward in enumerate(rewards):
                scores = rng.normal(loc=(0.0, 0.0, -1.5, 0.3 - 1.2 * k))
                kept = CELLS if originals else ("oidp", "didp")
                row |= {f"{reward}_{c}": scores[CELLS.index(c)] for c in kept}
                if cuts:
                    row |= {f"{reward}_cut_original": False, f"{reward}_cut_distorted": i % 4 == k}
            rows.append(row)
    return pd.DataFrame(rows)


def score_table(*args, **options):
    from aas_bench.tables.scores import ScoreTable

    return ScoreTable.from_frame(score_frame(*args, **options))


def pair_rows(table):
    """A small picture pair for every row of a table."""
    rng = np.random.default_rng(0)
    for row in table.frame.to_dict("records"):
        pixels = rng.integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
        known = {k: row[k] for k in ("pair_id", "prompt_original", "prompt_distorted") if k in row}
        yield {
            **known,
            "dimensions": row["dimensions"],
            "image_original": Image.fromarray(pixels[0]),
            "image_distorted": Image.fromarray(pixels[1]),
        }
