"""Run the command line in process, as a user would see it."""

import json
import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from aas_bench.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["aas-bench", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


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
