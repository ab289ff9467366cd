"""How many of our files one command walks through: what a newcomer must read to follow it."""

import json
import subprocess
import sys
from pathlib import Path

from support import toy_pairs

# 25, the scoring of parts, which workers of an engine do too (`part_scorer.py`), the check of the
# reward model that precedes each run (`checks/probes.py`), and, since placebos are scored unasked,
# `placebos.py` and the taxonomy, which tells whether the pairs can have any. These six cannot;
# composing them would go through the template rewriter too.
MOST = 29

# Counts what runs, the bodies of classes and functions; that a module is imported does not count.
WALK = """
import sys, threading
from pathlib import Path
import aas_bench

package = str(Path(aas_bench.__file__).parent)
entered = set()

def note(frame, event, _):
    code = frame.f_code
    if event == "call" and code.co_name != "<module>" and code.co_filename.startswith(package):
        entered.add(code.co_filename[len(package) + 1 :])

threading.setprofile(note)
sys.setprofile(note)
from aas_bench.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
sys.setprofile(None)
print(*sorted(entered), sep="\\n", file=sys.stderr)
"""
REWARD = "def load():\n    return lambda images, prompts: [float(len(p)) for p in prompts]\n"


def test_scoring_six_pairs_walks_through_few_of_our_files(tmp_path):
    pairs = toy_pairs.dataset(toy_pairs.rows(n_prompts=6, generators=("one",)))
    pairs.to_parquet(tmp_path / "six.parquet")
    (tmp_path / "mine.py").write_text(REWARD)
    command = ["score", "-d", "six.parquet", "-r", "mine:load", "-o", "run", "--json"]
    here = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = ['.', {here!r}]\n{WALK}", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_pairs"] == 6
    entered = [line for line in done.stderr.splitlines() if line.endswith(".py")]
    assert {"cli/scoring.py", "run/score.py", "tables/reader.py"} <= set(entered)
    assert len(entered) <= MOST, entered
