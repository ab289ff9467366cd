"""The test double itself, by the real clients."""

import io
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from huggingface_hub import CommitOperationCopy, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

PUSH_AND_LOAD = """
from datasets import Dataset, load_dataset
from PIL import Image
rows = {"image": [Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(3)], "n": [0, 1, 2]}
pushed = Dataset.from_dict(rows)
pushed.push_to_hub("weathon/small", config_name="pairs", split="test")
loaded = load_dataset("weathon/small", "pairs", split="test")
assert loaded["n"][:] == [0, 1, 2]
assert [p.getpixel((0, 0)) for p in loaded["image"]] == [(i, 0, 0) for i in range(3)]
streamed = load_dataset("weathon/small", split="test", streaming=True)
assert [row["n"] for row in streamed] == [0, 1, 2]
"""


def test_a_dataset_goes_round(loopback_hub):
    loopback_hub.run_python(PUSH_AND_LOAD)
    assert "pairs/test-00000-of-00001.parquet" in loopback_hub.files("weathon/small")


@pytest.fixture
def api(loopback_hub, monkeypatch):
    loopback_hub.patch(monkeypatch)
    return HfApi()


def upload(api, name, content, **options):
    return api.upload_file(
        path_or_fileobj=io.BytesIO(content),
        path_in_repo=name,
        repo_id="weathon/repo",
        repo_type="dataset",
        **options,
    )


def test_commits_are_snapshots(loopback_hub, api):
    api.create_repo("weathon/repo", repo_type="dataset")
    first = upload(api, "a.txt", b"one")
    upload(api, "a.txt", b"two")
    repo = loopback_hub.repos["dataset", "weathon/repo"]
    assert repo.files(first.oid)["a.txt"] == b"one"
    assert repo.files()["a.txt"] == b"two"
    path = api.hf_hub_download("weathon/repo", "a.txt", repo_type="dataset", revision=first.oid)
    assert Path(path).read_bytes() == b"one"


def test_a_pull_request_leaves_the_branch_alone(loopback_hub, api):
    api.create_repo("weathon/repo", repo_type="dataset")
    for number in (1, 2):
        commit = upload(api, "a.bin", b"pr %d" % number, create_pr=True)
        assert commit.pr_num == number
        assert loopback_hub.files("weathon/repo", revision=f"refs/pr/{number}")["a.bin"][-1:]
    assert "a.bin" not in loopback_hub.files("weathon/repo")
    upload(api, "b.txt", b"more", revision="refs/pr/2")
    assert set(loopback_hub.files("weathon/repo", revision="refs/pr/2")) > {"a.bin", "b.txt"}
    refs = api.list_repo_refs("weathon/repo", repo_type="dataset", include_pull_requests=True)
    assert [p.ref for p in refs.pull_requests] == ["refs/pr/1", "refs/pr/2"]


def test_branches(loopback_hub, api):
    api.create_repo("weathon/repo", repo_type="dataset")
    api.create_branch("weathon/repo", branch="next", repo_type="dataset")
    upload(api, "a.txt", b"new", revision="next")
    assert "a.txt" not in loopback_hub.files("weathon/repo")
    assert loopback_hub.files("weathon/repo", revision="next")["a.txt"] == b"new"


def test_tags_name_a_commit_for_good(loopback_hub, api):
    api.create_repo("weathon/repo", repo_type="dataset")
    first = upload(api, "a.bin", b"one")
    api.create_tag("weathon/repo", tag="v1", revision=first.oid, repo_type="dataset")
    upload(api, "a.bin", b"two")
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag("weathon/repo", tag="v1", repo_type="dataset")
    (tag,) = api.list_repo_refs("weathon/repo", repo_type="dataset").tags
    assert (tag.name, tag.target_commit) == ("v1", first.oid)
    assert loopback_hub.files("weathon/repo", revision="v1")["a.bin"] == b"one"
    copy = CommitOperationCopy("a.bin", "a.bin", src_revision="v1")
    api.create_commit("weathon/repo", [copy], commit_message="back", repo_type="dataset")
    assert loopback_hub.files("weathon/repo")["a.bin"] == b"one"


@pytest.mark.parametrize("token", [None, "hf_" + "w" * 34])
def test_without_the_token_nothing_is_written(loopback_hub, monkeypatch, token):
    loopback_hub.patch(monkeypatch, token=token)
    with pytest.raises(HfHubHTTPError, match="401"):
        HfApi().create_repo("weathon/repo", repo_type="dataset")
    loopback_hub.add("weathon/repo", {})
    with pytest.raises(HfHubHTTPError, match="401"):
        upload(HfApi(), "a.txt", b"one")
    assert "a.txt" not in loopback_hub.files("weathon/repo")


def test_private_repositories_are_hidden(loopback_hub, monkeypatch):
    loopback_hub.add("weathon/secret", {"a.txt": b"x"}, private=True)
    loopback_hub.patch(monkeypatch)
    assert HfApi().dataset_info("weathon/secret").private
    loopback_hub.patch(monkeypatch, token=None)
    with pytest.raises(RepositoryNotFoundError, match="401"):
        HfApi().dataset_info("weathon/secret")


def test_a_large_file_must_be_what_it_claims(loopback_hub):
    loopback_hub.announced.add("0" * 64)
    url = f"{loopback_hub.endpoint}/_lfs/{'0' * 64}"
    with pytest.raises(HTTPError, match="400"):
        urlopen(Request(url, data=b"other", method="PUT"))
    assert loopback_hub.large == {}


def test_a_large_file_is_sent_once(loopback_hub, api):
    api.create_repo("weathon/repo", repo_type="dataset")
    upload(api, "a.bin", b"large")
    upload(api, "b.bin", b"large")
    assert len(loopback_hub.sent("PUT", "/_lfs/")) == 1
    assert loopback_hub.files("weathon/repo")["b.bin"] == b"large"


def test_it_fails_when_told(loopback_hub, api):
    api.create_repo("weathon/repo", repo_type="dataset")
    loopback_hub.fail("POST", "/commit/", nth=2, status=403)
    upload(api, "a.txt", b"one")
    with pytest.raises(HfHubHTTPError, match="403"):
        upload(api, "a.txt", b"two")
    upload(api, "a.txt", b"three")
    assert loopback_hub.files("weathon/repo")["a.txt"] == b"three"
    loopback_hub.drop("POST", "/commit/")
    with pytest.raises(Exception, match="disconnected"):
        upload(api, "a.txt", b"four")
    assert loopback_hub.files("weathon/repo")["a.txt"] == b"three"


def test_unknown_routes_are_noted(loopback_hub):
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{loopback_hub.endpoint}/api/nonsense")
    assert loopback_hub.unknown == [("GET", "/api/nonsense")]
    loopback_hub.unknown.clear()
