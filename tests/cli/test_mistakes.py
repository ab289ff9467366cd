"""What a user mistook is told in one line that names what to type, with exit code 2."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from PIL import Image

CELLS = ("oiop", "oidp", "diop", "didp")


def told(outcome, code=2):
    """The one line on stderr."""
    assert outcome.code == code
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nonsense"], "aas-bench: No such command 'nonsense'. See: aas-bench --help"),
        (["analyse"], "aas-bench: Missing argument 'table'. See: aas-bench analyse --help"),
        (["score", "-d", "."], "Missing option '--reward' / '-r'. See: aas-bench score --help"),
        (["list", "x"], "See: aas-bench list --help"),
        (["score", "-d", "", "-r", "random", "-o", "out"], "the name of the data is empty. Give"),
    ],
)
def test_wrong_usage(run, arguments, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert line in told(run(*arguments))


def test_no_command_shows_the_help(run):
    outcome = run()
    assert outcome.code == 2
    assert outcome.err.startswith("Usage: aas-bench")
    assert run("--help").code == 0


def test_one_reward_model_is_not_compared_with_itself(run, scores):
    line = told(run("compare", scores(), "alpha", "alpha"))
    assert line == "aas-bench: both reward models are 'alpha'. Name two of the table."


@pytest.mark.parametrize("by", ["alpha_didp", "alpha_didp_sigma", "facts"])
def test_scores_and_objects_are_no_groups(run, scores, by):
    path = scores("scores.jsonl", alpha_didp_sigma=1.0, facts=[{"a": i} for i in range(60)])
    assert f"column {by!r} holds" in told(run("analyse", path, "--by", by))


def test_a_missing_score_column_is_named(run, scores, tmp_path):
    frame = pd.read_parquet(scores()).drop(columns=["alpha_didp"])
    frame.to_parquet(tmp_path / "less.parquet")
    line = told(run("analyse", tmp_path / "less.parquet"))
    assert line == "aas-bench: the table has no column alpha_didp. Add the scores of all pairs."


def test_options_are_named_as_they_are_typed(run, scores):
    line = told(run("analyse", scores(alpha_didp=[None] + [0.5] * 59)))
    assert "1 of 60 pairs lack a score of 'alpha', e.g. p/0000." in line
    assert line.endswith("drop them and report the coverage: --on-missing drop.")


def test_a_configuration_is_asked_for_by_its_option(run, tmp_path):
    entries = "".join(f"- config_name: {n}\n  data_files: {n}.parquet\n" for n in "ab")
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{entries}---\n")
    for name in "ab":
        pd.DataFrame({"x": [1]}).to_parquet(tmp_path / f"{name}.parquet")
    command = ["score", "-d", tmp_path, "-r", "random", "-o", tmp_path / "run"]
    line = told(run(*command))
    assert line.endswith("has several configurations. Choose one with --config: a, b.")
    assert "no pair table of a known form" in told(run(*command, "--config", "a"))


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_another_delimiter_is_read(run, tmp_path, mark):
    header = mark.join(["pair_id", *(f"m_{cell}" for cell in CELLS)])
    (tmp_path / "s.csv").write_text(f"{header}\n{mark.join(['a', '1', '2', '3', '4'])}\n")
    done = run("analyse", tmp_path / "s.csv", "--json")
    assert json.loads(done.out)["n_pairs"] == 1


def test_columns_that_cannot_be_guessed_are_named(run, tmp_path):
    (tmp_path / "s.csv").write_text("base,made\n1,2\n3,1\n")
    line = told(run("analyse", tmp_path / "s.csv"))
    assert "no score column among base, made" in line
    assert "--columns" in line
    done = run("analyse", tmp_path / "s.csv", "--columns", "base=oidp,made=didp", "--json")
    assert list(json.loads(done.out)["rewards"]) == ["score"]
    wrongs = {
        "base": "Write THEIRS=OURS",
        "bases=oidp": "Did you mean base?",
        "base=oidpp,made=didp": "no score is called 'oidpp'. Did you mean oidp or",
        "base=hps_odip": "no score is called 'odip'",
        "base=oidp,base=didp": "says twice what 'base' is",
    }
    for wrong, said in wrongs.items():
        assert said in told(run("analyse", tmp_path / "s.csv", "--columns", wrong))


def test_faults_of_pairs_do_not_speak_of_scores(run, scores):
    twice = told(run("analyse", scores(pair_id="p/0000")))
    assert twice.endswith("pair_id 'p/0000' stands in rows 0 and 1. Mend these cells.")
    assert told(run("analyse", scores(label=7))).endswith("and 55 more. Mend these cells.")
    words = told(run("analyse", scores("scores.csv", alpha_didp="good")))
    assert words.endswith("Mend these cells; leave a missing score empty.")


def test_an_unreadable_image_is_told_once(run, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "0_original.png")
    (tmp_path / "0_distorted.png").write_bytes(b"no image")
    (tmp_path / "prompts.csv").write_text(
        "id,prompt_original,prompt_distorted\n0,a cat,a dim cat\n"
    )
    options = ["-r", "random", "-o", tmp_path / "run", "--on-error", "raise"]
    line = told(run("score", "-d", tmp_path, *options))
    assert ".." not in line
    assert line.endswith("Mend the pair, or record it and go on: --on-error record.")


@pytest.mark.parametrize("kind", ["rewards", "tasks"])
def test_lists_fit_a_terminal(run, kind):
    outcome = run("list", kind)
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_no_library_logs_beside_our_line(tmp_path):
    """In a process of its own: log lines go to what was stderr when a library was imported."""
    (tmp_path / "bin.parquet").write_bytes(b"garbage" * 100)
    command = [sys.executable, "-m", "aas_bench", "score", "-d", "bin.parquet", "-r", "random"]
    done = subprocess.run(
        [*command, "-o", "out"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("aas-bench: bin.parquet: cannot be read as a dataset (")
