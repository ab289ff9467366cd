"""The command line of the dataset scripts, as maintainers type it."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = str(Path(__file__).parents[2] / "dataset_scripts" / "counterfactual.py")
SMALL = ["--size", "320", "--scenes", "coffee", "--effects", "richness", "--doses", "0.5"]
TOY = ["-m", "support.toy_builder", "main"]


@pytest.fixture
def run(loopback_hub):
    def run(*arguments, **options):
        return loopback_hub.run(sys.executable, *map(str, arguments), **options)

    return run


def test_a_dry_run_needs_no_token_and_asks_no_hub(run, loopback_hub, tmp_path):
    done = run(SCRIPT, *SMALL, "--dry-run", tmp_path / "out", token=None)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "pairs: 1 rows of 1 items in 1 files; 0 left out, 0 flags",
        f"written to {tmp_path / 'out'}",
    ]
    assert loopback_hub.log == []


def test_building_and_pushing_in_one_go(run, loopback_hub, tmp_path):
    done = run(SCRIPT, *SMALL, "--push", "weathon/x", "--private", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "weathon/x (main): " in done.stdout
    assert loopback_hub.repos["dataset", "weathon/x"].private
    card = (tmp_path / "build" / "counterfactual" / "README.md").read_text()
    assert 'load_dataset("weathon/x", "pairs"' in card, "the repository that readers have"
    assert "weathon/aas_counterfactual" not in card


def test_faults_end_with_one(run, tmp_path):
    done = run(*TOY, "--bad", "3", "--bad", "4", "--dry-run", tmp_path / "out")
    assert done.returncode == 1
    faults = tmp_path / "out" / ".build" / "faults.jsonl"
    assert done.stderr == f"counterfactual.py: built with faults; see {faults}\n"
    kinds = [json.loads(line)["kind"] for line in faults.read_text().splitlines()]
    assert kinds.count("fault") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do. Give --dry-run DIR to build, --push REPO to publish, or both."),
        (["--dry-run", "out", "--create-pr"], "--create-pr has no effect without --push."),
        (["--dry-run", "out", "--allow-shrink"], "--allow-shrink has no effect without --push."),
        (["--rollback", "v1"], "Give it with --push REPO and without --dry-run."),
        (["--dry-run", "out", "--limit", "0"], "Invalid value for '--limit'"),
        (["--dry-run", "out", "--size", "7"], "Give 320 to 512"),
        (["--dry-run", "out", "--effects", "clarty"], "Did you mean clarity?"),
        (["--dry-run", "out", "--config", "pears"], "Did you mean pairs?"),
        (["--push", "noslash"], "'noslash' is no repository. Give owner/name."),
    ],
)
def test_wrong_options_end_with_two(run, tmp_path, arguments, message):
    done = run(SCRIPT, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("token", "message"),
    [(None, "there is no Hub token"), ("hf_" + "w" * 34, "the Hub refuses the token (401)")],
)
def test_without_a_good_token_nothing_is_built(run, tmp_path, token, message):
    done = run(SCRIPT, "--push", "weathon/x", token=token, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"counterfactual.py: {message}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_lost_connection_ends_with_one_and_goes_on(run, loopback_hub, tmp_path):
    loopback_hub.fail("POST", "/commit/", status=503, times=99)
    arguments = (SCRIPT, *SMALL, "--push", "weathon/x", "--dry-run", tmp_path / "out")
    done = run(*arguments)
    assert done.returncode == 1
    assert "Repeat the command later: what has arrived is not sent again" in done.stderr
    loopback_hub.faults.clear()
    sent = len(loopback_hub.sent("PUT", "/_lfs/"))
    assert run(*arguments).returncode == 0
    assert len(loopback_hub.sent("PUT", "/_lfs/")) == sent


def test_a_foreign_folder(run, tmp_path):
    (tmp_path / "thesis.txt").touch()
    done = run(SCRIPT, *SMALL, "--dry-run", tmp_path)
    assert done.returncode == 2
    assert "holds 'thesis.txt' and no build. Give a new or empty folder." in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable to root")
def test_an_unwritable_folder(run, tmp_path):
    tmp_path.chmod(stat.S_IREAD | stat.S_IEXEC)
    done = run(SCRIPT, *SMALL, "--dry-run", tmp_path / "out")
    tmp_path.chmod(stat.S_IRWXU)
    assert done.returncode == 2
    assert "Permission denied. Give another path." in done.stderr


def test_a_folder_below_a_file(run, tmp_path):
    (tmp_path / "file").touch()
    done = run(SCRIPT, *SMALL, "--dry-run", tmp_path / "file" / "out")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_interrupted_it_says_how_to_go_on(loopback_hub, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, SCRIPT, "--dry-run", str(out)]
    process = subprocess.Popen(
        command, env=loopback_hub.environment(), stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not list(out.glob("pairs/.aside-*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"interrupted. Go on with: python {SCRIPT} --dry-run {out}" in told
    assert not list(out.rglob(".aside-*"))


def test_help_names_every_option(run):
    done = run(SCRIPT, "--help")
    assert done.returncode == 0
    for name in ("dry-run", "push", "private", "create-pr", "revision", "limit", "scenes", "doses"):
        assert f"--{name}" in done.stdout
    for name in ("no-create-pr", "allow-faults", "allow-shrink", "allow-schema-change", "rollback"):
        assert f"--{name}" in done.stdout
    assert "weathon/aas_counterfactual" in done.stdout
