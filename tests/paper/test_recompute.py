"""The paper's tables from tables in the authors' schema whose answers are known otherwise."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from support.author_tables import CELLS, benchmark_rows, dataset, emotion_rows

from aas_bench.errors import SchemaError
from aas_bench.paper.comparison import ABSENT, UNPUBLISHED
from aas_bench.paper.recompute import emotions, reproduce
from aas_bench.paper.reproduction import to_csv, to_html, to_latex, write_reproduction
from aas_bench.records.published import GENERATOR_COLUMNS, figures

MODELS = ("flux_dev", "stable_diffusion_xl", "=cmd|<script>")


@pytest.fixture(scope="module")
def rows():
    """Their schema, with numbers that differ from row to row."""
    rng = np.random.default_rng(11)
    found = list(benchmark_rows(30, models=MODELS))
    for row in found:
        judged = rng.integers(0, 101, 4).tolist()
        names = [f"llm_{i}_{q}" for i in ("original", "distorted") for q in QUALITIES]
        row["llm_judge"] |= dict(zip(names, judged, strict=True))
        for image in ("original", "distorted"):
            row["rater"][image]["scores"] = rng.normal(size=rng.integers(2, 5)).tolist()
        for vote in ("llm_selected", "blip_selected"):
            row[vote] = int(rng.choice([-1, 0, 1], p=[0.1, 0.3, 0.6]))
    return found


QUALITIES = ("special_effects", "main_concepts")


@pytest.fixture(scope="module")
def path(rows, tmp_path_factory):
    file = tmp_path_factory.mktemp("authors") / "benchmark.parquet"
    dataset(rows).to_parquet(file)
    return file


@pytest.fixture(scope="module")
def emotion_path(tmp_path_factory):
    rng = np.random.default_rng(5)
    found = list(emotion_rows(25))
    for row in found:
        for name in [n for n in row if n not in ("prompt",) and not isinstance(row[n], dict)]:
            row[name] = float(rng.normal())
    file = tmp_path_factory.mktemp("authors") / "emotion.parquet"
    dataset(found).to_parquet(file)
    return file, pd.DataFrame(found)


@pytest.fixture(scope="module")
def result(path, emotion_path):
    return reproduce(path, emotion=emotion_path[0])


@pytest.fixture(scope="module")
def tables(result):
    return {each.name: each.rows() for each in result.comparisons}


def flat(rows):
    """The rows as flat columns, by pandas alone."""
    frame = pd.DataFrame(rows)
    structs = {"hpsv2": "hpsv2_reward", "image_reward": "image_reward", "hpsv3": "hpsv3_reward"}
    for reward, column in structs.items():
        for cell in CELLS:
            values = frame[column].map(lambda s, k=f"{reward}_{cell}": s[k])
            frame[f"{reward}_{cell}"] = values.map(lambda v: v[0] if isinstance(v, list) else v)
    return frame


def d1_by_pandas(rows):
    frame = flat(rows)
    out = pd.DataFrame({"model": frame["model"]})
    out["delta_hpsv2"] = frame["hpsv2_diop"] - frame["hpsv2_oiop"]
    out["delta_hpsv3"] = frame["hpsv3_diop"] - frame["hpsv3_oiop"]
    out["hpsv3_after"] = frame["hpsv3_diop"]
    out["delta_image_reward"] = frame["image_reward_diop"] - frame["image_reward_oiop"]
    sums = {
        i: frame["rater"].map(lambda r, i=i: sum(r[i]["scores"])) for i in ("original", "distorted")
    }
    out["delta_rater"] = sums["distorted"] - sums["original"]
    out["rater_after"] = sums["distorted"]
    out["llm_win"] = (frame["llm_selected"] == 1).astype(float)
    for quality in QUALITIES:
        out[f"{quality}_diff"] = frame["llm_judge"].map(
            lambda j, q=quality: j[f"llm_distorted_{q}"] - j[f"llm_original_{q}"]
        )
    return out.groupby("model", sort=False).mean()


def test_table_d1_is_that_of_pandas(rows, tables):
    truth = d1_by_pandas(rows)
    assert set(truth.columns) == set(GENERATOR_COLUMNS)
    for model in MODELS:
        for column in truth.columns:
            ours = tables["D.1"][model][column].recomputed
            assert ours.value == pytest.approx(truth.loc[model, column], abs=1e-12), column
            assert (ours.n, ours.n_clusters, ours.coverage) == (30, 30, 1.0)
            assert ours.low <= ours.value <= ours.high


def test_table_d2_is_that_of_scikit_learn(rows, tables):
    frame = flat(rows)
    decided = frame[frame["llm_selected"] >= 0]
    label = decided["llm_selected"]
    for theirs, ours in (
        ("hpsv2", "hpsv2.1"),
        ("hpsv3", "hpsv3"),
        ("image_reward", "image-reward"),
    ):
        margin = decided[f"{theirs}_didp"] - decided[f"{theirs}_oidp"]
        found = {name: each.recomputed for name, each in tables["D.2"][ours].items()}
        assert found["accuracy"].value == pytest.approx(
            accuracy_score(label, margin > 0), abs=1e-12
        )
        assert found["f1"].value == pytest.approx(f1_score(label, margin > 0), abs=1e-12)
        assert found["auroc"].value == pytest.approx(roc_auc_score(label, margin), abs=1e-12)
        assert found["accuracy"].n == len(decided) < len(frame)
        assert found["accuracy"].n_clusters <= 30
    blip = tables["D.2"]["blip-l-itm"]
    choice = decided["blip_selected"] == 1
    assert blip["accuracy"].recomputed.value == pytest.approx(accuracy_score(label, choice))
    assert blip["f1"].recomputed.value == pytest.approx(f1_score(label, choice))
    assert (blip["auroc"].recomputed, blip["auroc"].reason) == (None, ABSENT)


def test_table_d3_is_that_of_pandas(emotion_path, tables):
    frame = emotion_path[1]
    for theirs, ours in (("hpsv2", "hpsv2"), ("img_reward", "image-reward"), ("blip", "blip")):
        for emotion in ("sad", "angry", "fearful"):
            wins = frame[f"{emotion}_{theirs}"] > frame[f"{emotion}_{theirs}_happy_image"]
            found = tables["D.3"][ours][emotion].recomputed
            assert (found.value, found.n) == (pytest.approx(wins.mean()), 25)


def test_the_paper_stands_beside_ours(tables):
    figure = tables["D.1"]["flux_dev"]["delta_hpsv3"]
    assert figure.printed == "-3.165"
    assert figure.agrees is False
    assert figure.difference == pytest.approx(figure.recomputed.value + 3.165)


def test_what_is_not_in_the_table_is_absent_never_zero(tables):
    absent = tables["D.1"]["nano-banana"]["delta_hpsv3"]
    assert (absent.published, absent.recomputed, absent.rounded) == (-9.351, None, None)
    assert (absent.agrees, absent.difference, absent.reason) == (None, None, ABSENT)
    assert tables["D.2"]["clip-l"]["auroc"].reason == ABSENT
    assert tables["D.1"][MODELS[2]]["llm_win"].reason == UNPUBLISHED
    assert "delta_hpsv2" not in tables["D.1"]["gpt-image-1.5"]


def test_every_published_figure_appears_once(result):
    seen = [(t.name, f.row, f.column) for t in result.comparisons for f in t.figures if f.published]
    assert len(seen) == len(set(seen))
    counted = [
        value
        for table in ("generators", "reward_models", "emotions")
        for row in figures(table).values()
        for value in row.values()
        if isinstance(value, float)
    ]
    assert len(seen) == len(counted) == 96 + 26 + 12


def test_the_override_analysis_comes_with_it(rows, result):
    frame = flat(rows)
    d_a = frame["hpsv3_didp"] - frame["hpsv3_oidp"]
    d_o = frame["hpsv3_diop"] - frame["hpsv3_oiop"]
    understood = d_a > d_o
    rate = (d_a[understood] <= 0).mean()
    assert result.rewards["hpsv3"].override.overridden_of_moved.value == pytest.approx(
        rate, abs=1e-12
    )


def test_stored_scores_of_blip_are_ranked(rows, tmp_path):
    rng = np.random.default_rng(2)
    extended = [
        row | {"blip_score_original": rng.normal(), "blip_score_distorted": rng.normal()}
        for row in rows
    ]
    dataset(extended).to_parquet(tmp_path / "x.parquet")
    (d2,) = [t for t in reproduce(tmp_path / "x.parquet").comparisons if t.name == "D.2"]
    frame = pd.DataFrame(extended)
    frame = frame[frame["llm_selected"] >= 0]
    margin = frame["blip_score_distorted"] - frame["blip_score_original"]
    found = d2.rows()["blip-l-itm"]["auroc"].recomputed.value
    assert found == pytest.approx(roc_auc_score(frame["llm_selected"], margin), abs=1e-12)


def test_another_ground_truth_can_be_asked_for(rows, path):
    (d2,) = [t for t in reproduce(path, label="third_llm_selected").comparisons if t.name == "D.2"]
    frame = flat(rows)
    frame = frame[frame["third_llm_selected"] >= 0]
    choice = frame["hpsv3_didp"] > frame["hpsv3_oidp"]
    found = d2.rows()["hpsv3"]["accuracy"].recomputed.value
    assert found == pytest.approx(accuracy_score(frame["third_llm_selected"], choice), abs=1e-12)


def test_missing_cells_lower_the_coverage_and_are_not_zero(rows, tmp_path):
    holed = [dict(row) for row in rows]
    for row in holed[:6]:
        row["image_reward"] = dict.fromkeys(row["image_reward"])
        row["rater"] = {"original": None, "distorted": row["rater"]["distorted"]}
        row["llm_judge"] = dict.fromkeys(row["llm_judge"])
        row["llm_selected"] = None
    dataset(holed).to_parquet(tmp_path / "x.parquet")
    d1 = reproduce(tmp_path / "x.parquet").comparisons[0].rows()["flux_dev"]
    truth = d1_by_pandas(rows[6:30])
    for column in ("delta_image_reward", "delta_rater", "special_effects_diff", "llm_win"):
        ours = d1[column].recomputed
        assert ours.value == pytest.approx(truth.loc["flux_dev", column], abs=1e-12), column
        assert (ours.n, ours.coverage) == (24, pytest.approx(0.8))


def test_a_table_without_labels_has_no_d2(rows, tmp_path):
    bare = [{k: v for k, v in row.items() if not k.endswith("selected")} for row in rows]
    dataset(bare).to_parquet(tmp_path / "x.parquet")
    d1, d2 = reproduce(tmp_path / "x.parquet").comparisons
    assert all(f.recomputed is None and f.reason == ABSENT for f in d2.figures)
    assert "llm_win" not in {f.column for f in d1.figures if f.recomputed}


def test_an_emotion_table_without_its_columns_is_refused(path):
    with pytest.raises(SchemaError, match="no column"):
        emotions(path)


def test_json_is_valid_and_undefined_is_null_with_a_reason(result):
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    d1 = document["tables"][0]
    absent = next(f for f in d1["figures"] if f["row"] == "nano-banana")
    assert (absent["recomputed"], absent["agrees"], absent["reason"]) == (None, None, ABSENT)
    assert document["rewards"]["hpsv3"]["placebo"]["override_rate"]["n"] > 0


def test_the_csv_holds_every_figure_and_runs_no_formula(result, tmp_path):
    (tmp_path / "x.csv").write_text(to_csv(result))
    frame = pd.read_csv(tmp_path / "x.csv")
    assert len(frame) == sum(len(t.figures) for t in result.comparisons)
    row = frame[(frame["row"] == "flux_dev") & (frame["column"] == "delta_hpsv3")].iloc[0]
    figure = result.comparisons[0].rows()["flux_dev"]["delta_hpsv3"]
    assert (row["published"], row["recomputed"]) == (-3.165, figure.recomputed.value)
    assert not frame["row"].str.startswith("=").any()


def test_latex_escapes_names_and_holds_both_figures(result):
    text = to_latex(result)
    assert "$-3.165$" in text
    assert r"=cmd\textbar{}\textless{}script\textgreater{}" in text
    assert r"delta\_hpsv3" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3


def test_the_page_escapes_names_and_asks_nothing_of_the_network(result):
    page = to_html(result)
    assert "<script" not in page
    assert "=cmd|&lt;script&gt;" in page
    assert "http" not in page.replace('http-equiv="', "")
    assert "−3.165" in page
    assert ABSENT in page


def test_all_files_are_written(result, tmp_path):
    page = write_reproduction(result, tmp_path / "out")
    assert page.name == "index.html"
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["index.html", *(f"reproduction.{s}" for s in ("csv", "json", "tex"))]


@pytest.mark.real
def test_the_authors_scores(real_data):
    result = reproduce(real_data / "scores" / "stable_diffusion_3.5_large.jsonl")
    assert result.n_rows == 300
    d1, d2 = (table.rows() for table in result.comparisons)
    ours = {name: figure.rounded for name, figure in d1["unknown"].items()}
    assert ours == {
        "delta_hpsv2": "-0.036",
        "delta_hpsv3": "-4.702",
        "hpsv3_after": "6.159",
        "delta_image_reward": "-0.467",
    }
    assert {f.reason for row in d2.values() for f in row.values()} == {ABSENT}
    override = result.rewards["hpsv3"].override
    assert round(override.moved.value, 3) == 0.940
