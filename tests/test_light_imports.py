"""What a first contact must not cost."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "datasets",
    "evaluate",
    "transformers",
    "diffusers",
    "gradio",
    "pandas",
    "sklearn",
}
HEAVY |= {"skimage", "pyarrow", "scipy", "numpy", "rich"}


def modules_after(code: str) -> set[str]:
    script = f"import sys, json\n{code}\nprint(json.dumps(list(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(out.stdout.splitlines()[-1])}


CALL = """
import shlex, sys
from aas_bench.cli import main
sys.argv = ["aas-bench", *shlex.split({typed!r})]
try:
    main()
except SystemExit as stop:
    assert (stop.code or 0) == {code}
"""


def test_importing_the_package_is_light():
    assert not modules_after("import aas_bench; dir(aas_bench)") & HEAVY


@pytest.mark.parametrize(
    "command",
    ["", "analyse", "score", "demo", "serve", "leaderboard run", "judge pairwise"],
)
def test_help_is_light(command):
    assert not modules_after(CALL.format(typed=f"{command} --help", code=0)) & HEAVY


@pytest.mark.parametrize(
    "typed",
    [
        "score -d counterfactual -r pickscore -o r --effect blurr",
        "evaluate -d counterfactual -r random -o r --by effects",
        "score -d counterfactual -r pickscore -o r --device gpu",
        "analyse no-such-table.parquet",
        "doctor no-such-table.parquet",
        "judge pairwise -d counterfactual -j openia:x -o r",
    ],
)
def test_what_is_mistyped_is_told_before_anything_that_reads_pairs_is_imported(typed):
    assert not modules_after(CALL.format(typed=typed, code=2)) & {"torch", "datasets"}
