"""Score tables and pair folders of every task, made from a seed; no import of the package here."""

import json

import numpy as np
import pandas as pd
from PIL import Image

ELEMENTS = (
    "clarity_and_focus.film_artifacts",
    "clarity_and_focus.intentional_blur",
    "color_and_tone.sickly_cast",
)
NEGATIVE = ("sad", "angry", "fearful")
TOPICS = ("anti-war", "pollution", "inequality")
JUDGED = ("special_effects", "main_concepts")


def _scores(rng, n, rewards, cells, shift):
    columns = {}
    for k, reward in enumerate(rewards):
        for cell in cells:
            columns[f"{reward}_{cell}"] = rng.normal(shift.get(cell, 0.0) * (k + 1), 2.0, n).round(
                2
            )
    return columns


def photos(n=40, rewards=("hpsv3", "other"), *, clean_caption=True, seed=0):
    """Photographs with one or two elements, each its own cluster."""
    rng = np.random.default_rng(seed)
    asked = [[ELEMENTS[i % 3], ELEMENTS[(i + 1) % 3]][: 1 + i % 2] for i in range(n)]
    cells = ("oiop", "oidp", "diop", "didp") if clean_caption else ("oidp", "didp")
    return pd.DataFrame(
        {
            "pair_id": [f"z/{i:04d}" for i in range(n)],
            "index": np.arange(n),
            "dimensions": asked,
            "category": [names[0] for names in asked],
            "label": 1,
            **_scores(rng, n, rewards, cells, {"oidp": 1.5, "oiop": 3.0}),
        }
    )


def emotions(n=30, rewards=("hpsv3", "other"), *, originals=False, seed=1):
    """`n` prompts with three pairs each; the three share the prompt's cluster."""
    rng = np.random.default_rng(seed)
    cells = ("oiop", "oidp", "diop", "didp") if originals else ("oidp", "didp")
    return pd.DataFrame(
        {
            "pair_id": [f"g/{i:04d}/{e}" for i in range(n) for e in NEGATIVE],
            "index": np.repeat(np.arange(n), 3),
            "dimensions": [[e] for _ in range(n) for e in NEGATIVE],
            "label": 1,
            **_scores(rng, 3 * n, rewards, cells, {"didp": -0.4, "oiop": 1.0}),
        }
    )


def critical(n=60, rewards=("hpsv3", "other"), *, seed=2):
    """One prompt a pair, three topics, no original prompt; one topic far apart, one not at all."""
    rng = np.random.default_rng(seed)
    topic = np.array([TOPICS[i % 3] for i in range(n)])
    frame = {
        "pair_id": [f"k/{i:04d}" for i in range(n)],
        "index": np.arange(n),
        "dimensions": [[t] for t in topic],
        "topic": topic,
        "label": -1,
    }
    shift = np.select([topic == name for name in TOPICS], [-2.5, 0.0, 1.0])
    for reward in rewards:
        oidp = rng.normal(5, 1, n).round(2)
        frame[f"{reward}_oidp"] = oidp
        frame[f"{reward}_didp"] = (oidp + shift + rng.normal(0, 1.5, n)).round(2)
    return pd.DataFrame(frame)


def paintings(n=50, rewards=("hpsv3", "other"), *, groups=True, seed=3):
    """Paintings alone: a score under the caption, no other image."""
    rng = np.random.default_rng(seed)
    frame = {"pair_id": [f"p/{i:04d}" for i in range(n)], "index": np.arange(n), "label": -1}
    if groups:
        frame["style"] = [("cubism", "rococo")[i % 2] for i in range(n)]
        frame["genre"] = [("portrait", "landscape", "still life")[i % 3] for i in range(n)]
    for reward in rewards:
        frame[f"{reward}_oidp"] = np.nan
        frame[f"{reward}_didp"] = rng.normal(5.86, 4.0, n).round(2)
    return pd.DataFrame(frame)


def wide(n=20, rewards=("hpsv3", "other"), *, judge="flat", labels=True, seed=4):
    """Two generators on `n` prompts; a judge's marks flat, in a struct, or not at all."""
    rng = np.random.default_rng(seed)
    dims = ("clarity", "background", "symmetry")
    rows = [(model, i) for model in ("flux", "sdxl") for i in range(n)]
    m = len(rows)
    frame = pd.DataFrame(
        {
            "pair_id": [f"{model}/{i:04d}" for model, i in rows],
            "index": [i for _, i in rows],
            "model": [model for model, _ in rows],
            "dimensions": [[dims[i % 3], dims[(i + 1) % 3]][: 1 + i % 2] for _, i in rows],
            **({"label": rng.choice([1, 1, 0, -1], m)} if labels else {}),
            **_scores(rng, m, rewards, ("oiop", "oidp", "diop", "didp"), {"didp": 0.5}),
        }
    )
    marks = {
        f"llm_{image}_{what}": rng.integers(0, 101, m).astype(float)
        for image in ("distorted", "original")
        for what in JUDGED
    }
    if judge == "flat":
        return frame.assign(**marks)
    if judge == "struct":
        structs = [{k: int(v[i]) for k, v in marks.items()} for i in range(m)]
        return frame.assign(llm_judge=structs)
    return frame


def _picture(folder, name, rng):
    pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return name


def pair_folder(folder, task, n=6):
    """A folder of that task in the authors' form: pictures and one table."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        shot = lambda name, i=i: _picture(folder, f"{i}_{name}.png", rng)  # noqa: E731
        rows.append({"index": i, **_row(task, i, shot)})
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "pairs.jsonl"


def _row(task, i, shot):
    if task == "ava_photos":
        return {
            "image": shot("photo"),
            "clean_image": shot("clean"),
            "elements": [ELEMENTS[i % 3]],
            "category": ELEMENTS[i % 3],
            "anti_aesthetic_caption": f"a grainy cow {i}",
            "clean_caption": f"a cow {i}",
        }
    if task == "emotion_bias":
        faces = {f"{e}_image": shot(e) for e in ("happy", *NEGATIVE)}
        return {**faces, "prompt": f"a portrait of an [emotion] person {i}"}
    if task == "critical_comparison":
        return {
            "topic": TOPICS[i % 3],
            "prompt": f"a ruined street {i}",
            "image_dance_flux": shot("dance"),
            "image_flux_krea": shot("krea"),
        }
    if task == "lapis_art":
        painting = {"image": shot("painting"), "caption": f"a painting {i}"}
        return {**painting, "style": ("cubism", "rococo")[i % 2], "genre": "portrait"}
    return {
        "image_original": shot("original"),
        "image_distorted": shot("distorted"),
        "prompt_original": f"a cat {i}",
        "prompt_distorted": f"a blurred cat {i}",
        "dimensions": ["clarity"] if i % 2 else ["clarity", "symmetry"],
        "model": ("flux", "sdxl")[i % 2],
        "label": i % 2,
    }
