"""Publishing: only what differs, all or nothing, and never over something else."""

import json
import re

import pytest
from datasets import Features, Value
from support.toy_builder import Toy

from aas_bench.errors import BackendError, InputError, SchemaError
from aas_bench.publish.build import build
from aas_bench.publish.push import publish
from aas_bench.publish.sync import Target, check_access, compare

REPO = "weathon/toy"
DIRECT = Target(repo=REPO, create_pr=False)
OTHER = "hf_" + "w" * 34


def made(folder, **options):
    return build([Toy(**options)], folder, progress=False)


def readme(hub, **options):
    return hub.files(REPO, **options)["README.md"].decode()


def test_the_folder_arrives_and_nothing_else(hub, tmp_path):
    built = made(tmp_path / "out")
    published = publish(built, DIRECT)
    local = {
        p.relative_to(built.path).as_posix(): p.read_bytes()
        for p in built.path.rglob("*")
        if p.is_file() and ".build" not in p.parts
    }
    assert hub.files(REPO) == local | {".gitattributes": hub.files(REPO)[".gitattributes"]}
    assert set(published.difference.added) == set(local)
    text = published.text()
    assert text.startswith(f"{REPO} (main): {hub.endpoint}/datasets/{REPO}/commit/")
    assert "pairs: 10 rows (new), 9 columns" in text
    assert "added: 7 files" in text


def test_the_second_time_nothing_is_pushed(hub, tmp_path):
    built = made(tmp_path / "out")
    publish(built, DIRECT)
    commits, sent = len(hub.repos["dataset", REPO].snapshots), len(hub.sent("PUT", "/_lfs/"))
    published = publish(built, DIRECT)
    assert published.url is None
    assert not published.difference
    assert "nothing to push, all files are there" in published.text()
    assert "pairs: 10 rows (10 before)" in published.text()
    assert len(hub.repos["dataset", REPO].snapshots) == commits
    assert len(hub.sent("PUT", "/_lfs/")) == sent


def test_only_the_difference_is_sent(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    sent = len(hub.sent("PUT", "/_lfs/"))
    published = publish(made(tmp_path / "two", n=12), DIRECT)
    difference = published.difference
    # Two of three files hold the same rows as before, under names that count one file more.
    assert set(difference.added) == {f"pairs/test-{n:05d}-of-00003.parquet" for n in range(3)}
    assert set(difference.removed) == {f"pairs/test-{n:05d}-of-00002.parquet" for n in range(2)}
    assert set(difference.unchanged) == {"LICENSE"}
    new = hub.sent("PUT", "/_lfs/")[sent:]
    assert len(new) == 2, "the third Parquet file and the grid: what the Hub has is not sent again"
    assert sorted(n for n in hub.files(REPO) if n.endswith(".parquet")) == sorted(difference.added)
    assert "pairs: 12 rows (8 before)" in published.text()


def test_other_files_there_stay(hub, tmp_path):
    hub.add(REPO, {"eval.yaml": b"name: x\n", "notes/a.md": b"mine"})
    published = publish(made(tmp_path / "out"), DIRECT)
    assert hub.files(REPO)["notes/a.md"] == b"mine"
    assert not published.difference.removed


@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_dropped_connection_loses_at_most_one_file(hub, tmp_path, nth):
    built = made(tmp_path / "out", padding=200_000)
    hub.drop("PUT", "/_lfs/", nth=nth, times=100, after=100_000)
    with pytest.raises(BackendError, match=r"connection .* lost .*Repeat the command"):
        publish(built, DIRECT)
    assert "README.md" not in hub.files(REPO), "readers see nothing of it"
    there = len(hub.large)
    hub.faults.clear()
    hub.log.clear()
    published = publish(built, DIRECT)
    assert len(hub.sent("PUT", "/_lfs/")) == 4 - there
    assert set(published.difference.added) <= set(hub.files(REPO))
    assert hub.unknown == []


def test_a_commit_that_fails_leaves_the_old_files(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    before = hub.files(REPO)
    hub.fail("POST", "/commit/", status=500, times=100)
    with pytest.raises(BackendError, match=r"the Hub answers 500"):
        publish(made(tmp_path / "two", n=12), DIRECT)
    assert hub.files(REPO) == before


def test_someone_else_pushes_meanwhile(hub, tmp_path, monkeypatch):
    publish(made(tmp_path / "one", n=8), DIRECT)

    def racing(*arguments, **options):
        difference = compare(*arguments, **options)
        hub.repos["dataset", REPO].commit("main", {**hub.files(REPO), "new.txt": b"x"}, "theirs")
        return difference

    monkeypatch.setattr("aas_bench.publish.push.compare", racing)
    with pytest.raises(BackendError, match=r"was changed meanwhile. Repeat the command"):
        publish(made(tmp_path / "two", n=12), DIRECT)
    assert "pairs/test-00000-of-00002.parquet" in hub.files(REPO)


def test_a_pull_request_leaves_main_alone(hub, tmp_path):
    hub.add(REPO, {})
    published = publish(made(tmp_path / "out"), Target(repo=REPO, create_pr=True))
    assert published.url == f"{hub.endpoint}/datasets/{REPO}/discussions/1"
    assert "README.md" not in hub.files(REPO)
    assert "README.md" in hub.files(REPO, revision="refs/pr/1")


def test_a_branch_is_made(hub, tmp_path):
    hub.add(REPO, {"kept.txt": b"x"})
    built = made(tmp_path / "out")
    for n_commits in (1, 1):  # the second time there is nothing to do
        publish(built, Target(repo=REPO, revision="next"))
        assert "README.md" not in hub.files(REPO)
        assert {"README.md", "kept.txt"} <= set(hub.files(REPO, revision="next"))
        titles = list(hub.repos["dataset", REPO].titles.values())
        assert titles.count("Publish counterfactual: pairs") == n_commits


def test_a_new_repository_may_be_private(hub, tmp_path):
    publish(made(tmp_path / "out"), Target(repo=REPO, private=True))
    assert hub.repos["dataset", REPO].private


def test_other_columns_are_refused_by_name(hub, tmp_path):
    publish(made(tmp_path / "one", score=True), DIRECT)
    before = hub.files(REPO)
    with pytest.raises(
        SchemaError,
        match=r"weathon/toy has other columns: pairs.polish_didp is only there. Push to another",
    ):
        publish(made(tmp_path / "two"), DIRECT)
    assert hub.files(REPO) == before


def test_a_column_of_another_type_is_refused(hub, tmp_path):
    built = made(tmp_path / "out")
    publish(built, DIRECT)
    text = readme(hub).replace(
        "- name: index\n    dtype: int64", "- name: index\n    dtype: string"
    )
    hub.repos["dataset", REPO].commit("main", {**hub.files(REPO), "README.md": text.encode()}, "x")
    with pytest.raises(SchemaError, match=r"pairs\.index is string there and int64 here"):
        publish(built, DIRECT)


def test_the_schema_is_read_from_parquet_where_the_card_is_silent(hub, tmp_path):
    built = made(tmp_path / "one", score=True)
    files = {n: (built.path / n).read_bytes() for n in built.configs[0].files}
    hub.add(REPO, {**files, "README.md": b"# a card without front matter\n"})
    with pytest.raises(SchemaError, match=r"pairs\.polish_didp is only there"):
        publish(made(tmp_path / "two"), DIRECT)
    publish(built, DIRECT)  # the same columns are welcome


def test_another_dataset_is_refused(hub, tmp_path):
    features = Features({"text": Value("string")})._to_yaml_list()
    card = f"---\ndataset_info:\n  features: {json.dumps(features)}\n---\n\n# Another\n"
    hub.add(REPO, {"README.md": card.encode()})
    with pytest.raises(SchemaError, match=r"holds another dataset: it has default, and none of p"):
        publish(made(tmp_path / "out"), DIRECT)
    assert readme(hub) == card


def test_a_card_edited_by_hand_keeps_its_words(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    edited = readme(hub).replace("## Use", "## Thanks\n\nTo everyone.\n\n## Use")
    edited = edited.replace("license: other", "license: mit")
    hub.repos["dataset", REPO].commit("main", {**hub.files(REPO), "README.md": edited.encode()}, "")
    two = made(tmp_path / "two", n=12)
    published = publish(two, DIRECT)
    assert "README.md was edited by hand and keeps its text and metadata" in published.text()
    assert "To everyone." in readme(hub)
    assert "license: mit" in readme(hub)
    assert "num_examples: 12" in readme(hub)
    published = publish(two, DIRECT, replace_card=True)
    assert readme(hub) == (two.path / "README.md").read_text()
    assert not published.notes


def test_a_configuration_that_is_not_built_stays(hub, tmp_path):
    publish(made(tmp_path / "one"), DIRECT)
    text = readme(hub).replace(
        "configs:\n- config_name: pairs",
        (
            "configs:\n- config_name: prompts\n  data_files:\n  - split: test\n"
            "    path: prompts/test-*\n- config_name: pairs"
        ),
    )
    files = {**hub.files(REPO), "README.md": text.encode(), "prompts/test-0.parquet": b"PAR1"}
    prompts = (tmp_path / "one" / "pairs" / "test-00000-of-00003.parquet").read_bytes()
    files["prompts/test-0.parquet"] = prompts
    hub.repos["dataset", REPO].commit("main", files, "add prompts")
    published = publish(made(tmp_path / "two", n=12), Target(repo=REPO), replace_card=True)
    assert hub.files(REPO)["prompts/test-0.parquet"] == prompts
    assert "path: prompts/test-*" in readme(hub)
    assert "kept prompts, which this build does not hold" in published.text()


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, r"there is no Hub token. Log in with: hf auth login"),
        (OTHER, r"the Hub refuses the token \(401\). Log in anew"),
    ],
)
def test_without_a_good_token_nothing_begins(loopback_hub, monkeypatch, token, message, tmp_path):
    loopback_hub.patch(monkeypatch, token=token)
    with pytest.raises(InputError, match=message) as caught:
        check_access(Target(repo=REPO))
    assert caught.value.exit_code == 2
    with pytest.raises(InputError, match=message):
        publish(made(tmp_path / "out"), DIRECT)
    assert loopback_hub.repos == {}


def test_a_token_that_may_not_write_there(hub, tmp_path):
    hub.fail("POST", "/api/repos/create", status=403, times=5)
    with pytest.raises(InputError, match=r"the token may not write to weathon/toy \(403\)"):
        publish(made(tmp_path / "out"), DIRECT)


@pytest.mark.parametrize("repo", ["toy", "a/b/c", "a/..", "-/x", "a b/c", ""])
def test_impossible_names(hub, repo):
    with pytest.raises(InputError, match=r"is no repository.*Give owner/name"):
        check_access(Target(repo=repo))
    assert hub.repos == {}


def test_the_token_is_told_nowhere(hub, tmp_path, capsys):
    published = publish(made(tmp_path / "out"), DIRECT)
    said = published.text() + "".join(capsys.readouterr())
    assert hub.token not in said
    assert not any(hub.token.encode() in c for c in hub.files(REPO).values())
    assert not re.search("hf_[a-zA-Z]{20}", said)
