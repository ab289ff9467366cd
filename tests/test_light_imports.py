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


HELP = """
import sys
from aas_bench.cli import main
sys.argv = ["aas-bench", {arguments}"--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code
"""


def test_importing_the_package_is_light():
    assert not modules_after("import aas_bench; dir(aas_bench)") & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        *("", "'analyse', ", "'score', ", "'demo', ", "'serve', "),
        *("'leaderboard', 'run', ", "'judge', 'pairwise', "),
    ],
)
def test_help_is_light(arguments):
    assert not modules_after(HELP.format(arguments=arguments)) & HEAVY
