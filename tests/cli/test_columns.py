"""What every command prints fits a terminal of 80 columns, and no number is torn from its unit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from support.toy_pairs import dataset, rows
from support.typing_mistakes import write_files

from aas_bench.cli import app

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "leaderboard" / "results"
FILES = ROOT / "leaderboard" / "submissions"
EVIDENCE = ROOT / "aas_bench" / "evidence" / "stable_diffusion_3.5_large.parquet"

TYPED = {
    "analyse": f"analyse {EVIDENCE} --by dimensions",
    "check-reward": "check-reward random",
    "compare": f"compare {EVIDENCE} hpsv3 image_reward",
    "doctor": "doctor pairs.parquet",
    "import": "import scores.csv",
    "leaderboard check": "leaderboard check flux2_klein_9b.yaml stable_diffusion_xl.yaml",
    "leaderboard run": "leaderboard run builtin_faithful.yaml --limit 1 --out made",
    "list": "list rewards",
    "results check": f"results check {RESULTS}",
    "results evidence": "results evidence --to records",
    "score": "score --data pairs.parquet --reward random --out scored",
}
# Print a path, an address or nothing; or ask a service (`judge`: tests of its own) or the Hub.
ELSEWHERE = {
    "agreement",
    "annotate",
    "demo",  # the table of `analyse`, and tests of its own
    "evaluate",  # likewise
    "install-metric",
    "judge checklist",
    "judge dimensions",
    "judge evaluate-dimensions",
    "judge graded",
    "judge pairwise",
    "leaderboard export",
    "publish leaderboard",
    "publish metrics",
    "publish results",
    "report",
    "reproduce",
    "results add",
    "results collect",
    "results diff",
    "results pack",
    "results published",
    "results receive",
    "results remeasure",
    "results snapshot",
    "serve",
    "view",
}


def names(command, before=()):
    """All commands, as they are typed."""
    for name, each in getattr(command, "commands", {}).items():
        inner = names(each, (*before, name))
        yield from inner if hasattr(each, "commands") else (" ".join((*before, name)),)


def test_every_command_is_looked_at_or_said_not_to_be():
    assert set(names(typer.main.get_command(app))) == TYPED.keys() | ELSEWHERE


def test_warnings_fit_and_name_no_line_of_ours(tmp_path):
    """In a process of its own: in this one, warnings are pytest's."""
    table = list(rows(6))
    for row in table:
        row |= {"prompt_original": row["prompt_distorted"], "dimensions": []}
    dataset(table).to_parquet(tmp_path / "pairs.parquet")
    command = [sys.executable, "-m", "aas_bench", *TYPED["score"].split()]
    path = {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | path, capture_output=True, text=True, check=True
    )
    said = " ".join(done.stderr.split())
    assert "are the same text in" in said
    assert "placebos, for which" in said
    assert ".py" not in said
    assert max(map(len, done.stderr.splitlines())) <= 80


@pytest.mark.parametrize("command", TYPED)
def test_it_fits(run, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write_files(tmp_path)
    for file in FILES.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    dataset(rows(6)).to_parquet(tmp_path / "pairs.parquet")
    outcome = run(*TYPED[command].split())
    assert outcome.out
    for line in (outcome.out + outcome.err).splitlines():
        assert len(line) <= 80 or str(tmp_path) in line, line
        assert not line.lstrip().startswith(("%", "\N{NARROW NO-BREAK SPACE}")), line
