"""Tables for the command line."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def scores(tmp_path):
    """Write a score table of two rewards; keyword arguments replace columns."""

    def write(name="scores.parquet", n=60, **columns):
        rng = np.random.default_rng(7)
        frame = pd.DataFrame(
            {"pair_id": [f"p/{i:04d}" for i in range(n)], "index": np.arange(n) % 20}
        )
        frame["label"] = rng.integers(0, 2, n)
        frame["topic"] = np.where(np.arange(n) % 2, "odd", "even")
        for reward in ("alpha", "beta"):
            for cell in ("oiop", "oidp", "diop", "didp"):
                frame[f"{reward}_{cell}"] = rng.normal(size=n)
        for column, values in columns.items():
            frame[column] = values
        path = tmp_path / name
        if path.suffix == ".parquet":
            frame.to_parquet(path)
        elif path.suffix == ".csv":
            frame.to_csv(path, index=False)
        else:
            frame.to_json(path, orient="records", lines=True)
        return path

    return write
