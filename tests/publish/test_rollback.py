"""Going back to a version: its files, as a new commit; nothing is lost on the way."""

import json
import sys

import pytest
from support.toy_builder import Toy

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.publish.build import build
from aas_bench.publish.card import is_untouched
from aas_bench.publish.push import publish
from aas_bench.publish.rollback import rollback
from aas_bench.publish.sync import Target

REPO = "weathon/toy"
DIRECT = Target(repo=REPO, create_pr=False)
READ = """
import sys
from datasets import load_dataset
rows = {r: load_dataset("weathon/toy", split="test", revision=r) for r in sys.argv[1:]}
print({name: len(table) for name, table in rows.items()})
"""


@pytest.fixture
def hub(loopback_hub, monkeypatch, tmp_path):
    """The toy with 8 rows as v1 and, with a file more, 12 as v2."""
    loopback_hub.patch(monkeypatch)
    publish(build([Toy(n=8)], tmp_path / "one", progress=False), DIRECT)
    repo = loopback_hub.repos["dataset", REPO]
    repo.commit("main", {**repo.files(), "eval.yaml": b"name: x\n"}, "add a file")
    publish(build([Toy(n=12)], tmp_path / "two", progress=False), DIRECT)
    loopback_hub.log.clear()
    return loopback_hub


def without_card(files):
    """All but the card, and of croissant.json all but the version."""
    kept = {name: content for name, content in files.items() if name != "README.md"}
    described = json.loads(kept.pop("croissant.json"))
    return kept | {"croissant.json": {k: v for k, v in described.items() if k != "version"}}


def version_of(repo, revision="main"):
    return json.loads(repo.files(revision)["croissant.json"])["version"]


def test_the_files_of_the_tag_come_back_and_nothing_is_uploaded(hub):
    told, repo = [], hub.repos["dataset", REPO]
    second = repo.resolve("main")
    done = rollback(DIRECT, "v1", tell=told.append)
    assert told == [f"{REPO} (main), before -> after:\n  pairs: 12 -> 8 rows; the same columns"]
    assert without_card(repo.files()) == without_card(repo.files("v1"))
    assert repo.files(second) == repo.files("v2"), "what was replaced is still there"
    assert done.version == "v3"
    assert [version_of(repo, tag) for tag in ("v1", "v2", "v3")] == ["1.0.0", "2.0.0", "3.0.0"]
    assert repo.tags["v3"] == repo.resolve("main")
    assert hub.sent("PUT", "/_lfs/") == []
    card = repo.files()["README.md"].decode()
    assert "- **v3**: back to v1: `pairs` 8 rows (12 before)\n- **v2**: " in card
    assert "num_examples: 8" in card
    assert is_untouched(card)
    assert hub.run_python(READ, "main", "v1", "v2", "v3").split() == (
        ["{'main':", "8,", "'v1':", "8,", "'v2':", "12,", "'v3':", "8}"]
    )


def test_a_configuration_that_came_since_is_shown_and_goes(hub, tmp_path):
    repo = hub.repos["dataset", REPO]
    more = (tmp_path / "one" / "pairs" / "test-00000-of-00002.parquet").read_bytes()
    repo.commit("main", {**repo.files(), "more/test-0.parquet": more}, "add more")
    told = []
    rollback(DIRECT, "v1", tell=told.append)
    assert "  more: 4 -> 0 rows; removed image_original (image), " in told[0]
    assert without_card(repo.files()) == without_card(repo.files("v1"))


def test_the_second_time_there_is_nothing_to_do_and_forward_is_a_way_too(hub):
    rollback(DIRECT, "v1")
    repo = hub.repos["dataset", REPO]
    commits = len(repo.snapshots)
    assert rollback(DIRECT, "v1").url is None
    assert rollback(DIRECT, "v3").url is None
    assert len(repo.snapshots) == commits
    assert rollback(DIRECT, "v2").version == "v4"
    assert without_card(repo.files()) == without_card(repo.files("v2"))


def test_unless_told_it_is_a_pull_request(hub):
    before = hub.files(REPO)
    done = rollback(Target(repo=REPO), "v1")
    assert done.url.endswith("/discussions/1")
    assert hub.files(REPO) == before
    proposed = hub.files(REPO, revision="refs/pr/1")
    assert without_card(proposed) == without_card(hub.files(REPO, revision="v1"))
    assert "v3" not in hub.repos["dataset", REPO].tags


def test_what_is_not_there(hub):
    with pytest.raises(UnknownNameError, match=r"v11.*weathon/toy has v1, v2"):
        rollback(DIRECT, "v11")
    with pytest.raises(InputError, match=r"there is no dataset weathon/none.*Check the name"):
        rollback(Target(repo="weathon/none"), "v1")
    assert {request.method for request in hub.log} <= {"GET", "HEAD"}


def test_the_command_line(hub, tmp_path):
    def run(*options):
        command = ("-m", "support.toy_builder", "main", *options)
        return hub.run(sys.executable, *command, cwd=tmp_path)

    done = run("--push", REPO, "--rollback", "v1", "--no-create-pr")
    assert done.returncode == 0, done.stderr
    assert "pairs: 12 -> 8 rows" in done.stdout
    assert "version v3" in done.stdout
    assert not (tmp_path / "build").exists()
