"""One run, one set of numbers: terminal, report, result file, record and leaderboard row."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from aas_bench.board.entries import lookups
from aas_bench.board.tabs.self_test import self_test
from aas_bench.cli import main
from aas_bench.records.collection import load_results
from aas_bench.records.make_records import add_run

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"
FIELDS = ("value", "low", "high", "n", "n_clusters", "coverage", "reason")


def call(monkeypatch, capsys, program, *arguments):
    """What a command prints."""
    monkeypatch.setattr(sys, "argv", [str(part) for part in arguments])
    with pytest.raises(SystemExit) as left:
        program()
    captured = capsys.readouterr()
    assert not left.value.code, captured.err
    return captured.out


def keyed(measurements):
    """Fields by key, of dicts as of objects."""
    found = {}
    for each in measurements:
        row = each if isinstance(each, dict) else each.to_dict()
        key = tuple(row[name] for name in ("measure", "reward", "by", "group", "at"))
        assert key not in found
        found[key] = tuple(row[name] for name in FIELDS)
    return found


def printed(value, low, high, *_):
    texts = f"{value:.3f}", f"{low:.3f} to {high:.3f}"
    return [text.replace("-", "\N{MINUS SIGN}") for text in texts]


@pytest.mark.parametrize("seed", [0, 7, 20])
def test_a_generators_run_is_told_alike_everywhere(monkeypatch, capsys, tmp_path, seed):
    stdout = call(
        monkeypatch,
        capsys,
        lambda: runpy.run_path(str(LEADERBOARD / "run.py"), run_name="__main__"),
        *("run.py", "run", LEADERBOARD / "submissions" / "builtin_faithful.yaml"),
        *("--out", tmp_path, "--limit", 18, "--seed", seed),
        *("-r", "effect-match", "-r", "average-taste"),
    )
    run, folder = tmp_path / "builtin_faithful", tmp_path / "records"
    result = keyed(json.loads((run / "result.json").read_bytes())["measurements"])
    report = json.loads((run / "report" / "summary.json").read_text(encoding="utf-8"))
    (record,) = add_run(run, folder)
    assert len(result) > 100
    assert keyed(record.measurements) == result
    assert keyed(report["measurements"]).items() >= result.items()
    table = next(t for t in self_test(load_results(folder)).more if "self-test-gen" in t.name)
    rows = {row.facets["reward"]: row.entries for row in table.rows}
    (figures,) = lookups(load_results(folder), built_in=True)
    for reward in ("effect-match", "average-taste"):
        nested = report["rewards"][reward]
        for name, told in (
            ("delta", nested["generator"]["delta"]),
            ("after", nested["generator"]["after"]),
            ("chosen", nested["chosen"]),
            ("override_rate", nested["placebo"]["override_rate"]),
        ):
            found = result[name, reward, None, None, None]
            assert tuple(told[field] for field in FIELDS) == found
            assert [*keyed([figures.get(name, reward=reward)]).values()] == [found]
            if found[0] is not None and found[1] is not None:
                assert all(text in stdout for text in printed(*found))
        for name in ("delta", "after"):
            cell = rows[reward][table.place(name)]
            assert (cell.value, cell.low, cell.high) == result[name, reward, None, None, None][:3]


def test_a_reward_models_run_is_told_alike_everywhere(monkeypatch, capsys, tmp_path):
    run, folder = tmp_path / "run", tmp_path / "records"
    stdout = call(
        monkeypatch,
        capsys,
        main,
        *("aas-bench", "evaluate", "--data", "counterfactual", "--limit", 180),
        *("-r", "random", "--out", run),
    )
    report = json.loads((run / "report" / "summary.json").read_text(encoding="utf-8"))
    (record,) = add_run(run, folder)
    told = keyed({**each, "reward": None} for each in report["measurements"])
    found = keyed(record.measurements)
    assert len(found) > 50
    assert told.items() >= found.items()
    accuracy = found["accuracy", None, None, None, None]
    assert all(text in stdout for text in printed(*accuracy))
    table = self_test(load_results(folder)).table
    cell = table.rows[0].entries[table.place("accuracy")]
    assert (cell.value, cell.low, cell.high) == accuracy[:3]
