"""A push that could lose data: shown, then refused before a byte is sent, unless it is named."""

import re
import shutil
import sys

import pytest
from support import photo_sources as theirs
from support.scripts import SCRIPTS
from support.toy_builder import Toy

from aas_bench.errors import InputError, SchemaError
from aas_bench.publish.build import build
from aas_bench.publish.changes import Allowed
from aas_bench.publish.push import publish
from aas_bench.publish.sync import Target

REPO = "weathon/toy"
DIRECT = Target(repo=REPO, create_pr=False)
TOY = ("-m", "support.toy_builder", "main")
READ = """
import sys
from datasets import load_dataset
for streaming in (False, True):
    rows = list(load_dataset(sys.argv[1], split="test", streaming=streaming))
    print([row["pair_id"] for row in rows])
"""


def made(folder, **options):
    return build([Toy(**options)], folder, progress=False)


def writes(hub):
    """What was sent to the Hub, the question whose token it is aside."""
    return [request for request in hub.log if request.method not in ("GET", "HEAD")]


def refused(hub, built, message, *, error=InputError, target=DIRECT, **allowed):
    """Nothing is sent, the difference was told before, and the message is one line."""
    before, told = dict(hub.repos), []
    files = {key: (dict(repo.refs), dict(repo.tags)) for key, repo in before.items()}
    hub.log.clear()
    with pytest.raises(error, match=message) as caught:
        publish(built, target, allowed=Allowed(**allowed), tell=told.append)
    assert writes(hub) == []
    assert {key: (repo.refs, repo.tags) for key, repo in hub.repos.items()} == files
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    (difference,) = told
    return difference


# The two disasters, with the real script and the real clients


@pytest.fixture
def lapis(loopback_hub, tmp_path):
    """LAPIS is published with its three paintings; runs the script again."""
    source = theirs.lapis_source(tmp_path / "source")

    def run(out, *options):
        place = ("--source", str(source), "--dry-run", str(tmp_path / out))
        script = str(SCRIPTS / "lapis_art.py")
        return loopback_hub.run(
            sys.executable, script, *place, "--push", "weathon/aas_lapis_art", *options
        )

    done = run("good")
    assert done.returncode == 0, done.stderr
    return source, run


def assert_nothing_was_lost(hub, before):
    assert writes(hub) == []
    assert hub.files("weathon/aas_lapis_art") == before
    ids = [f"painting/{name}.jpg" for name, *_ in theirs.PAINTINGS]
    assert hub.run_python(READ, "weathon/aas_lapis_art").splitlines() == [str(ids)] * 2


@pytest.mark.parametrize("direct", [[], ["--no-create-pr"]])
def test_a_build_whose_images_were_not_found_replaces_nothing(loopback_hub, lapis, direct):
    source, run = lapis
    before = loopback_hub.files("weathon/aas_lapis_art")
    shutil.rmtree(source / "images")
    (source / "images").mkdir()
    loopback_hub.log.clear()
    done = run("bad", *direct)
    assert done.returncode == 2
    assert "paintings: 3 -> 0 rows; the same columns" in done.stdout
    assert done.stderr.count("\n") == 1
    assert re.search(
        r"nothing is pushed: 3 of 3 items are at fault \(.*faults.jsonl\); paintings would "
        r"shrink from 3 rows to 0\. Mend the build, or allow it: --allow-faults --allow-shrink\.",
        done.stderr,
    )
    assert_nothing_was_lost(loopback_hub, before)


def test_a_first_row_for_a_try_replaces_nothing(loopback_hub, lapis):
    _, run = lapis
    before = loopback_hub.files("weathon/aas_lapis_art")
    loopback_hub.log.clear()
    done = run("short", "--limit", "1")
    assert done.returncode == 2
    assert "paintings: 3 -> 1 rows; the same columns" in done.stdout
    assert "nothing is pushed: paintings would shrink from 3 rows to 1." in done.stderr
    assert "allow it: --allow-shrink." in done.stderr
    assert_nothing_was_lost(loopback_hub, before)


# Every reason by itself


def test_faults_are_refused_even_where_nothing_is_there(hub, tmp_path):
    built = made(tmp_path / "out", bad=(3, 4))
    told = refused(hub, built, r"2 of 10 items are at fault .*allow it: --allow-faults\.$")
    assert told == f"{REPO} (main), before -> after:\n  pairs: new -> 8 rows; 9 columns"
    publish(built, DIRECT, allowed=Allowed(faults=True))
    assert "README.md" in hub.files(REPO)


def test_no_rows_are_refused_even_where_nothing_is_there(hub, tmp_path):
    built = made(tmp_path / "out", n=2, bad=(0, 1))
    refused(hub, built, r"pairs has no rows.*--allow-shrink\.$", faults=True)


def test_fewer_rows_are_refused_and_as_many_are_not(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    built = made(tmp_path / "two", n=7)
    told = refused(
        hub, built, r"pairs would shrink from 8 rows to 7", faults=True, schema_change=True
    )
    assert "pairs: 8 -> 7 rows" in told
    publish(made(tmp_path / "three", n=8, prompt="other {0}"), DIRECT)
    assert publish(built, DIRECT, allowed=Allowed(shrink=True)).url


def test_rows_are_counted_in_the_files_not_taken_from_the_card(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    repo = hub.repos["dataset", REPO]
    card = repo.files()["README.md"].replace(b"num_examples: 8", b"num_examples: 2")
    repo.commit("main", {**repo.files(), "README.md": card}, "edit")
    refused(hub, made(tmp_path / "two", n=7), r"pairs would shrink from 8 rows to 7")


def test_a_pull_request_is_refused_as_well(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    target = Target(repo=REPO, create_pr=True)
    refused(hub, made(tmp_path / "two", n=7), r"from 8 rows to 7", target=target)


def test_columns_are_shown_and_refused_until_named(hub, tmp_path):
    scored = made(tmp_path / "one", n=8, score=True)
    plain = made(tmp_path / "two", n=8)
    publish(plain, DIRECT)
    message = (
        r"weathon/toy has other columns: pairs\.polish_didp is only here\. "
        r"Push to another repository, or allow it: --allow-schema-change\.$"
    )
    told = refused(hub, scored, message, error=SchemaError, faults=True, shrink=True)
    assert "pairs: 8 -> 8 rows; added polish_didp (float64)" in told
    publish(scored, DIRECT, allowed=Allowed(schema_change=True))
    told = refused(hub, plain, r"polish_didp is only there", error=SchemaError)
    assert "removed polish_didp (float64)" in told
    assert "added `polish_didp` (float64)" in hub.files(REPO)["README.md"].decode()


def test_all_reasons_are_told_at_once(hub, tmp_path):
    publish(made(tmp_path / "one", n=8, score=True), DIRECT)
    flags = r"allow it: --allow-faults --allow-shrink --allow-schema-change\.$"
    refused(hub, made(tmp_path / "two", n=8, bad=(1,)), flags, error=SchemaError)


def test_a_file_that_hides_its_rows(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    repo = hub.repos["dataset", REPO]
    repo.commit("main", {**repo.files(), "pairs/test-9.parquet": b"broken"}, "break")
    hub.log.clear()
    with pytest.raises(SchemaError, match=r"pairs/test-9.parquet is no Parquet .* delete it there"):
        publish(made(tmp_path / "two", n=12), DIRECT)
    assert writes(hub) == []


def test_the_command_line_names_what_it_allows(loopback_hub, tmp_path):
    out = ("--dry-run", str(tmp_path / "out"), "--bad", "3", "--push", REPO)
    done = loopback_hub.run(sys.executable, *TOY, *out)
    assert done.returncode == 2
    assert "nothing is pushed: 1 of 10 items are at fault" in done.stderr
    assert loopback_hub.repos == {}
    done = loopback_hub.run(sys.executable, *TOY, *out, "--allow-faults")
    assert done.returncode == 1, "built with faults, as it says"
    assert "pairs: 9 rows (new)" in done.stdout
    assert "built with faults" in done.stderr
