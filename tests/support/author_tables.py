"""Small tables in the authors' exact schemas, misspellings included."""

import numpy as np
from support.toy_pairs import picture, png

CELLS = ("oiop", "oidp", "diop", "didp")
NEGATIVE = ("sad", "angry", "fearful")
EMOTION_SCORES = ("hpsv2", "hpsv3", "img_reward", "blip")


def embedded(seed):
    return {"bytes": png(picture(seed)), "path": None}


def benchmark_rows(n=6, *, models=("flux_dev", "sdxl")):
    """`weathon/aas_benchmark_final`: generators x prompts."""
    scores = np.random.default_rng(0).normal(size=(len(models), n, 3, 4))
    for m, model in enumerate(models):
        for i in range(n):
            hpsv2, image_reward, hpsv3 = scores[m, i].tolist()
            yield {
                "image_original": embedded(100 * m + 2 * i),
                "image_distorted": embedded(100 * m + 2 * i + 1),
                "index": i,
                "prompt_original": f"a cat number {i}",
                "prompt_distorted": f"a blurred cat number {i}",
                "selected_dims": str(["clarity", "color brightness"][: 1 + i % 2]),
                "llm_judge": {
                    "llm_distorted_main_concepts": 80,
                    "llm_distorted_reasoning": "it's blurred",
                    "llm_distorted_special_effects": 70,
                    "llm_original_main_concepts": 90,
                    "llm_original_reasoning": "",
                    "llm_original_special_effects": 5,
                },
                "hpsv2_reward": dict(zip((f"hpsv2_{c}" for c in CELLS), hpsv2, strict=True)),
                "llm_selected": (1, 0, -1)[i % 3],
                "blip_selected": (0, 0, 1)[i % 3],
                "model": model,
                "blip_score": [[0.1, 0.9], [0.2, 0.8]],
                "image_reward": dict(
                    zip((f"image_reward_{c}" for c in CELLS), image_reward, strict=True)
                ),
                "hpsv3_reward": {
                    f"hpsv3_{c}": [mu, 0.5 + k]
                    for k, (c, mu) in enumerate(zip(CELLS, hpsv3, strict=True))
                },
                "rater": {
                    "distorted": {"preds": [0, 1], "scores": [0.25, 1.5]},
                    "original": {"preds": [2, 2], "scores": [1.75, 2.0]},
                },
                "blip_score_original": 0.5,
                "sec_llm_selected": (1, 1, -1)[i % 3],
                "third_llm_selected": (0, 1, 1)[i % 3],
            }


def emotion_rows(n=3):
    """`weathon/emotion_bias_dataset`: four faces in a row."""
    for i in range(n):
        row = {f"{e}_image": embedded(10 * i + k) for k, e in enumerate(("happy", *NEGATIVE))}
        row["prompt"] = f"a portrait of an [emotion] person, number {i}"
        for e in NEGATIVE:
            for k, reward in enumerate(EMOTION_SCORES):
                row[f"{e}_{reward}"] = float(i + k)
                row[f"{e}_{reward}_happy_image"] = float(i - k)
        yield row


def score_comparison_rows(n=3):
    """`weathon/score_comparsion`."""
    for i in range(n):
        yield {
            "original_image": embedded(2 * i),
            "distorted_image": embedded(2 * i + 1),
            "original_prompt": f"a cup {i}",
            "distorted_prompt": f"a smeared cup {i}",
            "hpsv2_scores": [0.25, 0.5],
            "pick_scores": [20.0, 21.0],
            "blip_scores": [0.5, 0.75],
            "dims": ["clarity", "emotion"],
            "per_dim_original_scores": [0.5, 0.25],
            "per_dim_distorted_scores": [0.5, 0.75],
            "model_used": "flux_dev" if i else "sdxl",
            "anti_aesthetics_scores": [0.5],
        }


def image_columns(row):
    return [n for n, v in row.items() if isinstance(v, dict) and set(v) == {"bytes", "path"}]


def dataset(rows, **types):
    """The rows as a Dataset with Image columns, as the Hub gives them."""
    from datasets import Dataset, Image

    rows = list(rows)
    table = Dataset.from_list(rows)
    for name in image_columns(rows[0]):
        table = table.cast_column(name, Image())
    for name, feature in types.items():
        table = table.cast_column(name, feature)
    return table
