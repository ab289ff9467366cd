"""A result in one file: what is sent arrives whole, and nothing else gets in."""

import json
import zipfile

import pytest

from aas_bench.errors import InputError
from aas_bench.records import parcel as parcels
from aas_bench.records.address import SETTING, way_to
from aas_bench.records.collection import load_results
from aas_bench.records.parcel import pack, receive


@pytest.fixture
def sent(reward_run, tmp_path):
    return pack(reward_run(), tmp_path / "sent.zip")


def test_what_is_sent_arrives_whole(sent, tmp_path):
    received = receive(sent, tmp_path / "board")
    assert load_results(tmp_path / "board").records == received
    assert "wide_spectrum/alpha/measured" in {record.id for record in received}
    for record in received:
        assert (tmp_path / "board" / record.id).with_name(record.scores.file).is_file()


def test_equal_results_are_equal_files(reward_run, tmp_path):
    run = reward_run()
    files = [pack(run, tmp_path / f"{name}.zip") for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_is_there_is_not_overwritten(sent, tmp_path):
    receive(sent, tmp_path / "board")
    with pytest.raises(InputError, match="is there already"):
        receive(sent, tmp_path / "board")


def rewritten(sent, tmp_path, change):
    """The parcel with each member's name and content changed."""
    out = tmp_path / "other.zip"
    with zipfile.ZipFile(sent) as source, zipfile.ZipFile(out, "w") as copy:
        for member in source.infolist():
            for name, content in change(member.filename, source.read(member)):
                copy.writestr(name, content)
    return out


def test_a_forged_figure_is_refused_and_nothing_is_received(sent, tmp_path):
    def forge(name, content):
        if name.endswith("alpha/measured.json"):
            document = json.loads(content)
            document["measurements"][0]["value"] = 0.999
            content = json.dumps(document)
        yield name, content

    with pytest.raises(InputError, match=r"alpha/measured.json is not accepted: .* recomputed"):
        receive(rewritten(sent, tmp_path, forge), tmp_path / "board")
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.json",
        "/etc/evil.json",
        "a/b/c/d.json",
        "wide_spectrum/alpha/run.py",
        "wide_spectrum/alpha/x.pkl",
        "wide_spectrum\\..\\..\\evil.json",
        "evil.json",
    ],
)
def test_a_name_that_is_no_record_is_refused(sent, tmp_path, name):
    def add(own, content):
        yield own, content
        if own.endswith("alpha/measured.json"):
            yield name, "{}"

    with pytest.raises(InputError, match="which is no record and no scores"):
        receive(rewritten(sent, tmp_path, add), tmp_path / "board")
    assert sorted(p.name for p in tmp_path.rglob("evil*")) == []


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a/b/c.json", b"0" * (5 * 1024 * 1024))
    monkeypatch.setattr(parcels.shutil, "copyfileobj", None)  # nothing may be unpacked
    with pytest.raises(InputError, match="is larger than"):
        receive(bomb, tmp_path / "board")
    many = tmp_path / "many.zip"
    with zipfile.ZipFile(many, "w") as made:
        for i in range(201):
            made.writestr(f"a/b/{i}.json", "{}")
    with pytest.raises(InputError, match="holds 201 files"):
        receive(many, tmp_path / "board")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
def test_what_is_no_parcel_is_one_line(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be opened|holds no record"):
        receive(tmp_path / "x.zip", tmp_path / "board")
    with pytest.raises(InputError, match="cannot be opened"):
        receive(tmp_path / "nothing.zip", tmp_path / "board")


def test_a_run_that_would_not_be_accepted_is_not_packed(tmp_path):
    with pytest.raises(InputError, match="holds neither"):
        pack(tmp_path, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("me/board", "hf upload me/board x.zip incoming/x.zip --repo-type dataset --create-pr"),
        ("mailto:me@example.org", "Send it to me@example.org."),
        ("https://example.org/send", "Send it through https://example.org/send"),
    ],
)
def test_the_way_there_is_the_setting_of_the_deployment(monkeypatch, tmp_path, address, told):
    monkeypatch.setenv(SETTING, address)
    monkeypatch.chdir(tmp_path)
    assert told in way_to(parcels.Path("x.zip"))
