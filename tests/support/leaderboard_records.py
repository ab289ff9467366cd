"""A folder of leaderboard records with everything that a page must survive."""

import hashlib
import json

import numpy as np
import pandas as pd
from support.result_records import PAPER

from aas_bench.measure.summary import standard
from aas_bench.records.collection import save_record
from aas_bench.records.record import Measurement, Record, Scores, Subject
from aas_bench.tables.scores import ScoreTable

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
FORMULA = '=HYPERLINK("https://evil.example","x")'
LATEX = r"50% \input{/etc/passwd} $x_1$ & #2 ~^"
HOSTILE = (SCRIPT, IMAGE, FORMULA, LATEX)
N_SHOWN = {"reward-models": 9, "generators": 7}


def fill(folder):
    """Write all records, and the files that must be refused."""
    for record in (*reward_models(), *generators(), *emotions(), photographs(), paintings()):
        save_record(record, folder)
    for name, seed, shift in (("base_one", 1, -2.0), ("aligned_one", 2, -0.5)):
        save_record(scored_generator(folder, name, seed, shift), folder)
    for name, seed, bias in (("scored-a", 3, 1.0), ("scored-b", 4, -0.2)):
        save_record(scored_reward(folder, name, seed, bias), folder)
    (folder / "broken.json").write_text("{")
    (folder / "future.json").write_text(json.dumps({"schema_version": 2, "id": "a/b/c"}))
    for name in ("twin_1", "twin_2"):
        twin = reward("twin", "Twin", accuracy=(0.5, 0.4, 0.6))
        (folder / f"{name}.json").write_text(twin.to_json())
    return folder


def reward_models():
    yield reward("alpha", "Alpha", accuracy=(0.82, 0.78, 0.86), overridden=0.1)
    yield reward("beta", "Beta", accuracy=(0.79, 0.75, 0.83), overridden=0.15)
    yield reward("gamma", "Gamma", accuracy=(0.40, 0.35, 0.45), overridden=0.55)
    yield reward("part", "Part", accuracy=(0.99, 0.98, 1.0), coverage=0.8)
    for i, name in enumerate(HOSTILE):
        yield reward(f"hostile-{i}", name, accuracy=(0.2 + i / 100, None, None), status="published")
    yield Record(
        schema_version=1,
        id="wide_spectrum/later/pending",
        status="pending",
        subject=Subject(id="later", name="Later", kind="reward_model"),
        task="wide_spectrum",
    )


def reward(key, name, *, accuracy, overridden=None, coverage=1.0, status="measured"):
    """A reward model on the wide-spectrum pairs."""
    value, low, high = accuracy
    found = [figure("accuracy", value, low, high, coverage)]
    if overridden is not None:
        shares = {"followed": value - 0.05, "overridden": overridden, "lucky": 0.05}
        shares["missed"] = 1 - sum(shares.values())
        found += [figure(n, share, share - 0.02, share + 0.02) for n, share in shares.items()]
        understood = shares["followed"] + overridden
        found.append(figure("understood", understood, understood - 0.03, understood + 0.03))
        rate = overridden / understood
        found.append(figure("override_rate", rate, rate - 0.03, rate + 0.03))
        found.append(figure("chosen", value, low, high))
        for at in (0.0, 0.5, 1.0, 1.5):
            point = value + 0.1 * at
            ends = (point - 0.05, min(point + 0.05, 1.0))
            found.append(figure("knob_accuracy", point, *ends, at=at))
    return record("wide_spectrum", Subject(id=key, name=name, kind="reward_model"), found, status)


def generators():
    yield generator("flux_dev", "Flux Dev", "flux", "base", -3.0, open_weights=True)
    yield generator("flux_fine", "Flux Fine", "flux", "aesthetic", -1.0, open_weights=True)
    yield generator("flux_krea", IMAGE, "flux", "narrow", -4.0, open_weights=True)
    yield generator("shut", "Shut", "shut", "closed", -9.0, open_weights=False)
    subject = Subject(id="soon", name="Soon", kind="generator", family="flux", alignment="base")
    yield Record(
        schema_version=1,
        id="wide_spectrum/soon/pending",
        status="pending",
        subject=subject,
        task="wide_spectrum",
    )


def generator(key, name, family, alignment, delta, *, open_weights):
    """A published generator, without intervals."""
    subject = Subject(
        id=key,
        name=name,
        kind="generator",
        family=family,
        alignment=alignment,
        open_weights=open_weights,
    )
    found = [
        Measurement(measure="delta", reward="hpsv3", value=delta, n=300),
        Measurement(measure="after", reward="hpsv3", value=9 + delta, n=300),
        Measurement(measure="llm_win", value=0.5 - delta / 20, n=300),
    ]
    return record("wide_spectrum", subject, found, "published")


def emotions():
    for key, name, values in (
        ("hpsv3", "HPSv3", (0.19, 0.32, 0.44)),
        ("blip", "BLIP", (1, 0.8, 1)),
    ):
        found = [
            Measurement(measure="accuracy", by="emotion", group=group, value=float(value), n=100)
            for group, value in zip(("angry", "fearful", "sad"), values, strict=True)
        ]
        subject = Subject(id=key, name=name, kind="reward_model")
        yield record("emotion_bias", subject, found, "published")


def photographs():
    found = [
        Measurement(measure="gap", value=5.9, n=2928),
        Measurement(measure="gap", by="category", group="clarity.blur", value=8.0),
        Measurement(measure="gap", by="category", group=SCRIPT, value=1.0),
    ]
    return record("ava_photos", Subject(id="hpsv3", name="HPSv3", kind="reward_model"), found)


def paintings():
    found = [
        Measurement(measure="art_mean", value=5.86, n=10000),
        Measurement(measure="art_rank", value=10.0),
        Measurement(measure="art_entries", value=12.0),
        Measurement(measure="art_score", by="painting", group="The Scream", value=5.23),
    ]
    return record("lapis_art", Subject(id="hpsv3", name="HPSv3", kind="reward_model"), found)


def figure(measure, value, low=None, high=None, coverage=1.0, *, at=None):
    return Measurement(
        measure=measure, value=value, low=low, high=high, n=300, n_clusters=100,
        coverage=coverage, at=at,
    )  # fmt: skip


def record(task, subject, found, status="published"):
    facts = (
        {"source": PAPER}
        if status == "published"
        else {
            "scores": Scores(file="measured.parquet", sha256="0" * 64, n_pairs=300),
            "provenance": {"seed": 0},
        }
    )
    return Record(
        schema_version=1,
        id=f"{task}/{subject.id}/{status}",
        status=status,
        subject=subject,
        task=task,
        measurements=tuple(found),
        **facts,
    )


def score_table(seed, *, shift, n=40):
    """Scores of one reward model called r; didp - oidp has the mean `shift`."""
    rng = np.random.default_rng(seed)
    oiop, oidp = rng.normal(5, 1, n), rng.normal(4, 1, n)
    frame = pd.DataFrame(
        {
            "pair_id": [f"p/{i:04d}" for i in range(n)],
            "index": np.arange(n),
            "label": np.arange(n) % 4 > 0,
            "r_oiop": oiop,
            "r_oidp": oidp,
            "r_diop": oiop + shift + rng.normal(0, 0.5, n),
            "r_didp": oidp + shift + rng.normal(0, 0.5, n),
        }
    ).astype({"label": "int8"})
    return ScoreTable.from_frame(frame)


def scored(folder, subject, table):
    """A measured record with its scores beside it."""
    path = folder / "counterfactual" / subject.id / "measured.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.save(path)
    measured = standard(table, task="counterfactual")
    return Record(
        schema_version=1,
        id=f"counterfactual/{subject.id}/measured",
        status="measured",
        subject=subject,
        task="counterfactual",
        measurements=tuple(map(Measurement.of, measured.measurements(subject.kind))),
        scores=Scores(
            file="measured.parquet",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            n_pairs=len(table),
        ),
        provenance={"seed": 0},
    )


def scored_generator(folder, key, seed, shift):
    alignment = "base" if key.startswith("base") else "aesthetic"
    base = None if alignment == "base" else "base_one"
    subject = Subject(
        id=key, name=key, kind="generator", family="one", base=base, alignment=alignment
    )
    return scored(folder, subject, score_table(seed, shift=shift))


def scored_reward(folder, key, seed, bias):
    subject = Subject(id=key, name=key, kind="reward_model")
    return scored(folder, subject, score_table(seed, shift=bias))
