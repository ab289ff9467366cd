"""Versions: a tag for every push, a line in the card, and a pull request where data is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.toy_builder import Toy

from aas_bench.errors import BackendError, InputError
from aas_bench.publish.build import build
from aas_bench.publish.card import is_untouched, made_for, sealed
from aas_bench.publish.push import publish
from aas_bench.publish.sync import Target
from aas_bench.publish.versions import Versions, history, with_history

REPO = "weathon/toy"
DEFAULT = Target(repo=REPO)
DIRECT = Target(repo=REPO, create_pr=False)


def made(folder, **options):
    return build([Toy(**options)], folder, progress=False)


def repo_of(hub):
    return hub.repos["dataset", REPO]


def card(hub, revision="main"):
    return hub.files(REPO, revision=revision)["README.md"].decode()


def test_every_push_is_a_tag_and_a_line(hub, tmp_path):
    assert publish(made(tmp_path / "one", n=8), DIRECT).version == "v1"
    first = repo_of(hub).resolve("main")
    published = publish(made(tmp_path / "two", n=12), DIRECT)
    assert "version v2" in published.text()
    assert repo_of(hub).tags == {"v1": first, "v2": repo_of(hub).resolve("main")}
    lines = "- **v2**: `pairs` 12 rows (8 before)\n- **v1**: `pairs` 8 rows\n"
    assert f"## Versions\n\n{lines}" in card(hub)
    assert is_untouched(card(hub)), "the history is under the seal"
    assert hub.files(REPO)["README.md"] == (tmp_path / "two" / "README.md").read_bytes()


def test_nothing_to_push_is_no_version(hub, tmp_path):
    built = made(tmp_path / "one")
    publish(built, DIRECT)
    commits = len(repo_of(hub).snapshots)
    again = made(tmp_path / "again")  # a fresh folder does not know the history
    assert publish(built, DIRECT).version is publish(again, DEFAULT).version is None
    assert list(repo_of(hub).tags) == ["v1"]
    assert len(repo_of(hub).snapshots) == commits


def test_data_is_replaced_by_a_pull_request_unless_told(hub, tmp_path):
    assert publish(made(tmp_path / "one", n=8), DEFAULT).url.count("/commit/")
    before = hub.files(REPO)
    two = made(tmp_path / "two", n=12)
    published = publish(two, DEFAULT)
    assert published.url == f"{hub.endpoint}/datasets/{REPO}/discussions/1"
    assert hub.files(REPO) == before
    assert "- **v2**: `pairs` 12 rows (8 before)" in card(hub, "refs/pr/1")
    assert "v2 gets its tag when, after the merge, this command is repeated" in published.text()
    assert list(repo_of(hub).tags) == ["v1"]
    repo_of(hub).merge(1)
    published = publish(two, DEFAULT)
    assert published.url is None
    assert "what was there is now tagged v2" in published.text()
    assert repo_of(hub).tags["v2"] == repo_of(hub).resolve("main")


def test_a_merged_version_gets_its_tag_before_it_is_replaced(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DEFAULT)
    publish(made(tmp_path / "two", n=12), DEFAULT)
    repo_of(hub).merge(1)
    merged = repo_of(hub).resolve("main")
    assert publish(made(tmp_path / "three", n=13), DIRECT).version == "v3"
    assert repo_of(hub).tags["v2"] == merged
    assert card(hub).count("- **v") == 3


def test_a_repository_without_data_is_pushed_to_and_a_branch_as_well(hub, tmp_path):
    hub.add(REPO, {"notes.txt": b"none"})
    assert "/commit/" in publish(made(tmp_path / "one", n=8), DEFAULT).url
    aside = Target(repo=REPO, revision="next")
    assert "/commit/" in publish(made(tmp_path / "two", n=12), aside).url
    assert repo_of(hub).tags["v2"] == repo_of(hub).resolve("next")
    assert "- **v2**" not in card(hub)


def test_what_is_older_than_versions_is_v0(hub, tmp_path):
    built = made(tmp_path / "one", n=8)
    files = {p.relative_to(built.path).as_posix(): p.read_bytes() for p in built.path.rglob("*.*")
             if p.is_file() and ".build" not in p.parts}  # fmt: skip
    hub.add(REPO, files)
    old = repo_of(hub).resolve("main")
    assert publish(made(tmp_path / "two", n=12), DIRECT).version == "v1"
    assert repo_of(hub).tags == {"v0": old, "v1": repo_of(hub).resolve("main")}


def test_a_tag_that_failed_is_made_the_next_time(hub, tmp_path):
    built = made(tmp_path / "one", n=8)
    hub.fail("POST", "/tag/", times=99)
    with pytest.raises(BackendError, match=r"the Hub answers 500 .*Repeat the command"):
        publish(built, DIRECT)
    hub.faults.clear()
    assert publish(built, DIRECT).url is None
    assert repo_of(hub).tags == {"v1": repo_of(hub).resolve("main")}


def test_who_may_only_propose_proposes(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    repo_of(hub).tags.clear()
    hub.fail("POST", "/tag/", status=403, times=99)
    two = made(tmp_path / "two", n=12)
    published = publish(two, DEFAULT)
    assert published.url.endswith("/discussions/1")
    assert "what is there has no tag, and the token may not make one" in published.text()
    with pytest.raises(InputError, match=r"may not write to weathon/toy \(403\)"):
        publish(two, DIRECT)


def test_an_edited_card_gets_its_line_where_its_history_stands(hub, tmp_path):
    publish(made(tmp_path / "one", n=8), DIRECT)
    text = card(hub).replace("rows\n\n<!--", "rows, checked by hand\n\n## Thanks\n\nAll.\n\n<!--")
    repo_of(hub).commit("main", {**hub.files(REPO), "README.md": text.encode()}, "edit")
    publish(made(tmp_path / "two", n=12), DIRECT)
    lines = "- **v2**: `pairs` 12 rows (8 before)\n- **v1**: `pairs` 8 rows, checked by hand\n"
    assert f"## Versions\n\n{lines}\n## Thanks\n\nAll.\n" in card(hub)
    assert made_for(card(hub)) == "counterfactual"
    assert not is_untouched(card(hub))


@pytest.mark.parametrize(
    ("tags", "lines", "following", "lacking"),
    [
        ({}, "", "v1", "v0"),
        ({"v1": "a"}, "", "v2", "v2"),
        ({"v1": "c"}, "", "v2", None),  # `c` has a tag, whatever its name
        ({"v9": "a", "v10": "b", "v2.0": "x"}, "- **v3**: x", "v11", "v3"),
        ({"v1": "a"}, "- **v1**: x", "v2", None),
        ({}, "- **v2**: x\n- **v1**: y", "v3", "v2"),
    ],
)
def test_names_are_never_used_twice(tags, lines, following, lacking):
    versions = Versions(tags=tags, history=lines)
    assert (versions.next, versions.untagged("c")) == (following, lacking)


LINES = st.lists(st.integers(0, 99).map("- **v{}**: `pairs` 3 rows".format)).map("\n".join)


@given(LINES, LINES, st.sampled_from(["", "\n## Licence\n\nMine.\n"]), st.booleans())
def test_a_history_goes_in_and_comes_out(one, two, after, whole):
    text = f"# Title\n\nWords.\n{after}\n"
    readme = sealed(text, "toy") if whole else text
    held = with_history(readme, one)
    assert history(held) == one
    assert with_history(held, two).rstrip() == with_history(readme, two).rstrip()
    assert with_history(held, "") == readme or not whole
    assert is_untouched(held) == whole
    assert ("Mine." in held) == bool(after)
