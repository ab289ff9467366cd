"""Sources of `ava_photos` and `lapis_art` in small, as AVA, LAPIS and the authors write them."""

import json

from PIL import Image
from support.toy_pairs import picture

COUNTS = {
    101: (0, 1, 5, 17, 38, 36, 15, 6, 5, 1),
    102: (10, 7, 15, 26, 26, 21, 10, 8, 1, 2),
    103: (0, 0, 4, 8, 41, 56, 10, 3, 4, 0),
    104: (0, 0, 0, 0, 1, 0, 0, 0, 0, 0),
}
ELEMENTS = {
    101: ["clarity_and_focus.intentional_blur"],
    102: ["color_and_tone.sickly_cast", "clarity_and_focus.film_artifacts"],
    103: ["lighting_and_exposure.light_leak"],
}
CLEAN = {101: "a cow", 102: "a person and a dog", 103: "a street"}


def ava_line(number, ava_id, counts, tags=(1, 22), challenge=1396):
    return " ".join(map(str, (number, ava_id, *counts, *tags, challenge)))


def caption(ava_id, commit="c1", **response):
    return {
        "commit": commit,
        "query": f"query {commit}",
        "message": f"message {commit}",
        "image_path": f"{ava_id}.jpg",
        "response": {
            "anti_aesthetic_elements": ELEMENTS[ava_id],
            "objective_caption": f"{CLEAN[ava_id]} before a wall",
            "anti_aesthetic_caption": f"{CLEAN[ava_id]}, but number {ava_id} is spoilt",
            "clean_caption": CLEAN[ava_id],
            **response,
        },
    }


def write_json(file, value):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))
    return file


def commit(*images, key):
    return {
        "query": f"query {key}",
        "dataset": "photos",
        "threshold": 0.39,
        "negative_prompts": ["watermark text overlay", "empty frame noise"],
        "negative_threshold": 0.3,
        "message": f"message {key}",
        "images": [f"{image}.jpg" for image in images],
        "size": len(images),
    }


def photograph(file, seed, size=(48, 30), **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size=size).save(file, **options)


def ava_source(folder):
    """Four photographs, one of them only curated; three captioned, with clean counterparts.

    101 lies in a nested folder and ends in .JPG, 102 is turned by its EXIF data.
    """
    lines = [ava_line(n, i, counts) for n, (i, counts) in enumerate(COUNTS.items(), start=1)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "AVA.txt").write_text("\n".join(lines) + "\n")
    commits = {"c1": commit(101, 102, key="c1"), "c2": commit(103, 104, 101, key="c2")}
    write_json(folder / "curation.json", commits)
    for ava_id in ELEMENTS:
        write_json(folder / "captions" / f"{ava_id}.json", caption(ava_id))
        photograph(folder / "clean" / f"{ava_id}_clean.jpg", 500 + ava_id, (32, 32), quality=90)
    photograph(folder / "images" / "deep" / "101.JPG", 101, (48, 30), quality=95)
    turned = Image.Exif()
    turned[0x0112] = 6
    photograph(folder / "images" / "102.jpg", 102, (30, 41), quality=95, exif=turned)
    photograph(folder / "images" / "103.jpg", 103, (33, 33), quality=95)
    photograph(folder / "images" / "104.jpg", 104, (31, 44), quality=95)
    return folder


PAINTINGS = (
    ("boris-kustodiev_shells-1918", "a still life of shells on a table", 41.5, 26.4, 29),
    ("genevieve-asse_sans-titre-viii-1984", "pale fields of blue", 30.9, 21.8, 26),
    ("andré-derain_the-drying-of-the-sails", "boats with bright sails", 74.7, 19.8, 18),
)


def lapis_source(folder):
    """Three paintings in two folders: LAPIS's table of images, captions with scores, files."""
    folder.mkdir(parents=True, exist_ok=True)
    header = (
        "image_id,min_response,max_response,mean_response,std_response,number of raters,"
        "image_filename,path,artist,title,genre,style"
    )
    rows = [header]
    captions = []
    for number, (name, said, mean, sd, n) in enumerate(PAINTINGS):
        artist, _, title = name.partition("_")
        kind = "abstract" if number == 1 else "figurative"
        rows.append(
            f"{100 + number},0,90,{mean},{sd},{n},{name}.jpg,{kind}/{name}.jpg,{artist},"
            f"{title}.jpg,still life,Realism"
        )
        photograph(folder / "images" / kind / f"{name}.jpg", number, (20 + number, 25), quality=92)
        captions.append(
            {"index": 7 + number, "image": f"{name}.jpg", "caption": said, "hpsv3": number - 4.25}
        )
    (folder / "LAPIS.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in captions]
    (folder / "art.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder
