"""Run folders of `score` whose numbers are known."""

import json

import numpy as np
import pandas as pd
from support.author_tables import CELLS

SCRIPT = 'hf:org/<script>alert("x")</script>'


def score_frame(n=60, rewards=("alpha",), model="m", seed=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"pair_id": [f"p/{i:04d}" for i in range(n)]})
    frame["index"] = np.arange(n) // 3
    frame["model"] = model
    frame["prompt_original"] = "a cat"
    frame["prompt_distorted"] = "a blurred cat, secret/path"
    frame["dimensions"] = [["clarity", "emotion"][: 1 + i % 2] for i in range(n)]
    frame["label"] = rng.integers(0, 2, n).astype(np.int8)
    for reward in rewards:
        for cell in CELLS:
            frame[f"{reward}_{cell}"] = rng.normal(size=n)
    frame["error"] = None
    return frame


def reward_run(folder, frame=None, source="wide_spectrum"):
    """A folder as `score` leaves it, of two reward models or of the scores given."""
    run = folder / "private" / "run"
    run.mkdir(parents=True)
    rewards = ("alpha", SCRIPT)
    frame = score_frame(rewards=rewards) if frame is None else frame
    frame.to_parquet(run / "scores.parquet")
    names = [c.removesuffix("_oiop") for c in frame if c.endswith("_oiop")]
    about = {
        "command": ["aas-bench", "score", "--out", str(run), f"--data={run}/pairs.parquet"],
        "git_revision": "0" * 40,
        "rewards": {name: {} for name in names},
        "seed": None,
        "time": "2026-02-03T04:05:06+00:00",
        "versions": {"numpy": np.__version__},
    }
    spec = {
        "pairs": {"sha256": "1" * 64},
        "rewards": [{"name": name, "weights": f"{run}/w.safetensors"} for name in names],
    }
    (run / "run.json").write_text(json.dumps(about))
    (run / "manifest.json").write_text(json.dumps({"spec": spec}))
    (run / "pairs.json").write_text(json.dumps({"source": source}))
    return run
