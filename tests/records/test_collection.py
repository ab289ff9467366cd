"""The folder of records: what is read, refused, flagged and collected."""

import json

import pandas as pd
import pytest
from support.result_records import measured, pending, record

from aas_bench.errors import InputError
from aas_bench.records import collection
from aas_bench.records.collection import collect, load_results, save_record
from aas_bench.records.record import Subject


def test_the_committed_folder_is_whole(board):
    results = load_results(board)
    assert results.refused == ()
    assert results.flagged == ()
    assert {each.status for each in results.records} == {"measured", "published", "pending"}


def test_records_are_found_by_kind_task_and_status(board):
    results = load_results(board)
    rows = results.of(kind="generator", task="wide_spectrum", status="pending")
    assert {each.subject.id for each in rows} == {
        *("alchemist", "flux2_klein_9b", "flux_dev_vsf", "glm_image"),
        *("longcat_image", "z_image", "z_image_turbo"),
    }
    assert results.of() == results.records


def test_a_record_is_written_where_its_id_says_and_read_back(tmp_path):
    assert save_record(measured(), tmp_path) == tmp_path / "counterfactual/model-1/measured.json"
    assert load_results(tmp_path).records == (measured(),)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ("[]", "is not one JSON object"),
        ("7", "is not one JSON object"),
        ('{"schema_version": 99, "id": "x"}', "has schema version 99; this package reads 1"),
        ("{}", "has schema version None"),
        ('{"schema_version": 1}', "id: Field required"),
        ('{"schema_version": 1, "value": NaN}', "is not JSON"),
        ("\x00", "is not JSON"),
        ("[" * 5000, "is not JSON"),
        (b"\xff\xfe".decode("latin-1"), "is not JSON"),
    ],
)
def test_a_broken_file_is_refused_with_the_reason_and_the_rest_stands(tmp_path, content, reason):
    save_record(measured(), tmp_path)
    (tmp_path / "broken.json").write_text(content, encoding="latin-1")
    results = load_results(tmp_path)
    assert len(results.records) == 1
    (refused,) = results.refused
    assert refused.file == "broken.json"
    assert reason in refused.reason
    assert refused.reason.isprintable()


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ['"value": 0.5', '"seed": 0'])
def test_a_number_that_is_not_finite_is_refused(tmp_path, token, field):
    path = save_record(measured(), tmp_path)
    good = path.read_text()
    path.write_text(good.replace(field, f"{field.split(':')[0]}: {token}"))
    assert path.read_text() != good
    results = load_results(tmp_path)
    assert results.records == ()
    assert len(results.refused) == 1


def test_of_two_records_with_one_id_none_is_shown(tmp_path):
    path = save_record(measured(), tmp_path)
    (tmp_path / "copy.json").write_text(path.read_text())
    results = load_results(tmp_path)
    assert results.records == ()
    assert [each.file for each in results.refused] == [
        "copy.json",
        "counterfactual/model-1/measured.json",
    ]
    assert all(
        "counterfactual/model-1/measured is also that of" in r.reason for r in results.refused
    )


def test_a_file_too_large_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(collection, "MAX_BYTES", 100)
    save_record(measured(), tmp_path)
    (refused,) = load_results(tmp_path).refused
    assert refused.reason == "is larger than 100 bytes"


def test_links_and_hidden_files_are_not_followed(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "board"
    save_record(measured(), outside)
    folder.mkdir()
    (folder / "linked").symlink_to(outside)
    (folder / "linked.json").symlink_to(outside / "counterfactual/model-1/measured.json")
    save_record(measured(), folder / ".hidden")
    assert load_results(folder) == collection.Results(records=(), refused=(), flagged=())


def test_a_missing_folder_is_the_callers_to_mend(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        load_results(tmp_path / "absent")


def test_low_coverage_is_flagged_with_how_low(tmp_path):
    save_record(measured(coverage=0.9499), tmp_path)
    results = load_results(tmp_path)
    assert len(results.records) == 1
    assert results.flags() == {
        "counterfactual/model-1/measured": (
            "1 of 2 figures rest on less than 95% of the pairs; accuracy on 94.99%"
        )
    }


@pytest.mark.parametrize(("n_pairs", "flagged"), [(784, False), (745, False), (744, True)])
def test_a_result_on_part_of_the_task_is_flagged(tmp_path, n_pairs, flagged):
    save_record(measured(n_pairs=n_pairs), tmp_path)
    flags = load_results(tmp_path).flagged
    assert [each.reason for each in flags] == (
        [f"{n_pairs} of the task's 784 pairs"] if flagged else []
    )


def test_the_table_has_a_row_for_each_measurement_and_pending_record(tmp_path):
    for each in (measured(coverage=0.5), record(), pending()):
        save_record(each, tmp_path)
    table = pd.read_parquet(collect(load_results(tmp_path), tmp_path / "all.parquet"))
    assert table.groupby("record").size().to_dict() == {
        "counterfactual/model-1/measured": 2,
        "wide_spectrum/model-1/pending": 1,
        "wide_spectrum/model-1/published": 1,
    }
    row = table[table["measure"] == "after"].iloc[0]
    assert (row["value"], row["low"], row["high"]) == (0.1 + 0.2, 0.1, 0.5)
    flags = table.set_index("record")["flag"]
    assert flags.notna().sum() == 2
    assert "50.00%" in flags["counterfactual/model-1/measured"].iloc[0]
    assert pd.isna(table[table["status"] == "pending"]["value"].iloc[0])


def test_equal_records_give_equal_bytes(board, tmp_path):
    first = collect(load_results(board), tmp_path / "a.parquet").read_bytes()
    assert first == collect(load_results(board), tmp_path / "b.parquet").read_bytes()


def test_names_stay_text_in_the_table(tmp_path):
    hostile = '"><img src=x onerror=alert(1)>'
    save_record(record(subject=Subject(id="model-1", name=hostile, kind="generator")), tmp_path)
    table = pd.read_parquet(collect(load_results(tmp_path), tmp_path / "all.parquet"))
    assert set(table["name"]) == {hostile}
    files = [p.name for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(files) == ["all.parquet", "published.json"]


def test_the_schema_file_is_no_record(tmp_path):
    (tmp_path / "schema.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "schema.json").write_text(json.dumps({}))
    assert [each.file for each in load_results(tmp_path).refused] == ["sub/schema.json"]
