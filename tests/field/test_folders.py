"""Folders of images as people lay them out: each gives its two pairs, or one line that mends it."""

import json
import unicodedata
import zipfile

import pytest
from support import toy_pairs

from aas_bench.errors import InputError
from aas_bench.tables.pairs import load_pairs

ASKED = ["a grim cat", "a grim cup"]
IDS = ("0001", "0002")
ROLES = ("original", "distorted")


def picture(pair, role):
    """A picture of its own for every place of the table."""
    return toy_pairs.picture(10 * IDS.index(pair) + ROLES.index(role))


def images(folder, name):
    """The four images, each at `name(pair, role)`."""
    for pair in IDS:
        for role in ROLES:
            file = folder / name(pair, role)
            file.parent.mkdir(parents=True, exist_ok=True)
            picture(pair, role).save(file)


def prompts(folder, name="prompts.csv", key="id", keys=IDS, column="prompt_distorted"):
    rows = [f"{k},{prompt}" for k, prompt in zip(keys, ASKED, strict=True)]
    (folder / name).write_text("\n".join([f"{key},{column}", *rows]) + "\n", encoding="utf-8")


def metadata(folder, file_of, name="metadata.jsonl", column="image_{role}_file_name"):
    rows = [
        {column.format(role=role): file_of(pair, role) for role in ROLES}
        | {"prompt_distorted": prompt}
        for pair, prompt in zip(IDS, ASKED, strict=True)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / name).write_text(lines, encoding="utf-8")
    return folder


def plain(pair, role):
    return f"{pair}_{role}.png"


def metadata_jsonl(folder):
    images(folder, plain)
    return metadata(folder, plain)


def metadata_jsonl_itself(folder):
    return metadata_jsonl(folder) / "metadata.jsonl"


def metadata_csv(folder):
    images(folder, plain)
    rows = [f"{plain(i, ROLES[0])},{plain(i, ROLES[1])}," for i in IDS]
    lines = [row + prompt for row, prompt in zip(rows, ASKED, strict=True)]
    header = "image_original_file_name,image_distorted_file_name,prompt_distorted"
    (folder / "metadata.csv").write_text("\n".join([header, *lines]))
    return folder


def pairs_jsonl(folder):
    images(folder, plain)
    return metadata(folder, plain, "pairs.jsonl", "image_{role}")


def windows_separators(folder):
    images(folder, lambda pair, role: f"img/{plain(pair, role)}")
    return metadata(folder, lambda pair, role: f"img\\{plain(pair, role)}")


def decomposed_names(folder):
    images(folder, lambda pair, role: unicodedata.normalize("NFD", f"café_{plain(pair, role)}"))
    return metadata(folder, lambda pair, role: f"café_{plain(pair, role)}")


def letter_case(folder):
    images(folder, lambda pair, role: f"Images/{pair}_{role}.PNG")
    return metadata(folder, lambda pair, role: f"images/{plain(pair, role)}")


def padded_upper_case_columns(folder):
    images(folder, plain)
    return metadata(folder, plain, "metadata.jsonl", " Image_{role}_FILE_NAME ")


def names_end_with_the_role(folder):
    images(folder, plain)
    prompts(folder)
    return folder


def names_end_in_a_subfolder(folder):
    images(folder, lambda pair, role: f"images/{pair}-{role}.png")
    prompts(folder, column="prompt")
    return folder


def two_folders_and_prompts(folder):
    images(folder, lambda pair, role: f"{role}/{pair}.png")
    prompts(folder)
    return folder


def two_folders_below_another(folder):
    images(folder, lambda pair, role: f"images/{role.capitalize()}/{pair}.png")
    prompts(folder, "prompts.tsv".replace("tsv", "csv"), "index", ("1", "2"))
    return folder


def two_folders_and_file_names(folder):
    images(folder, lambda pair, role: f"{role}/{pair}.png")
    prompts(folder, key="file_name", keys=[f"{pair}.png" for pair in IDS])
    return folder


def a_folder_for_each_pair(folder):
    images(folder, lambda pair, role: f"{pair}/{role}.png")
    prompts(folder)
    return folder


def prompt_beside_each_pair(folder):
    images(folder, lambda pair, role: f"{pair}/{role}.png")
    for pair, prompt in zip(IDS, ASKED, strict=True):
        (folder / pair / "prompt.txt").write_text(prompt)
    return folder


def text_beside_each_image(folder):
    images(folder, lambda pair, role: f"{pair}.{role}.png")
    for pair, prompt in zip(IDS, ASKED, strict=True):
        (folder / f"{pair}.txt").write_text(prompt)
    return folder


def geneval_twice(folder):
    """<set>/<number>/metadata.jsonl and <set>/<number>/samples/0000.png."""
    images(folder, lambda pair, role: f"{role}/{pair}/samples/0000.png")
    for pair, prompt in zip(IDS, ASKED, strict=True):
        for role, said in zip(ROLES, ("a cat", prompt), strict=True):
            file = folder / role / pair / "metadata.jsonl"
            file.write_text(json.dumps({"tag": "one", "prompt": said}))
    return folder


def hpsv2_twice(folder):
    """<set>/<style>/<number>.jpg, the prompts in one file."""
    images(folder, lambda pair, role: f"{role}/anime/{pair}.png")
    prompts(folder, keys=[f"anime/{pair}" for pair in IDS])
    return folder


def utf16_metadata(folder):
    images(folder, plain)
    metadata(folder, plain)
    file = folder / "metadata.jsonl"
    file.write_bytes(file.read_text(encoding="utf-8").encode("utf-16"))
    return folder


def packed_metadata(folder):
    import gzip

    metadata_csv(folder)
    file = folder / "metadata.csv"
    (folder / "metadata.csv.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    return folder


def base64_cells(folder):
    import base64

    def cell(pair, role):
        text = base64.b64encode(toy_pairs.png(picture(pair, role))).decode()
        return text if role == "original" else f"data:image/png;base64,{text}"

    return metadata(folder, cell, "pairs.jsonl", "image_{role}")


READ = [
    metadata_jsonl,
    metadata_jsonl_itself,
    metadata_csv,
    pairs_jsonl,
    windows_separators,
    decomposed_names,
    letter_case,
    padded_upper_case_columns,
    names_end_with_the_role,
    names_end_in_a_subfolder,
    two_folders_and_prompts,
    two_folders_below_another,
    two_folders_and_file_names,
    a_folder_for_each_pair,
    prompt_beside_each_pair,
    text_beside_each_image,
    geneval_twice,
    hpsv2_twice,
    utf16_metadata,
    packed_metadata,
    base64_cells,
]


@pytest.mark.parametrize("layout", READ, ids=lambda layout: layout.__name__)
def test_a_layout_gives_its_pairs(tmp_path, layout):
    pairs = load_pairs(layout(tmp_path))
    assert pairs["prompt_distorted"][:] == ASKED
    for number, pair in enumerate(IDS):
        for role in ROLES:
            found = pairs[number][f"image_{role}"]
            assert found.convert("RGB").tobytes() == picture(pair, role).tobytes()


def test_an_image_and_a_caption_are_a_painting(tmp_path):
    images(tmp_path, plain)
    (tmp_path / "metadata.csv").write_text(f"image,caption\n{plain(IDS[0], 'original')},{ASKED[0]}")
    (row,) = load_pairs(tmp_path)
    assert row["image_distorted"].tobytes() == picture(IDS[0], "original").tobytes()
    assert row["image_original"] is None


def one_zip(folder):
    images(folder / "in", plain)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for file in sorted((folder / "in").iterdir()):
            archive.write(file, file.name)
            file.unlink()
    (folder / "in").rmdir()
    return folder


def the_zip_itself(folder):
    return one_zip(folder) / "all.zip"


def absolute_paths(folder):
    images(folder, plain)
    return metadata(folder, lambda pair, role: str(folder / plain(pair, role)))


def windows_drive(folder):
    images(folder, plain)
    return metadata(folder, lambda pair, role: f"C:\\data\\{plain(pair, role)}")


def geneval_once(folder):
    images(folder, lambda pair, role: f"{pair}/samples/{role[0]}.png")
    for pair in IDS:
        (folder / pair / "metadata.jsonl").write_text('{"prompt": "x"}')
    return folder


def hpsv2_once(folder):
    images(folder, lambda pair, role: f"anime/{pair}{role[0]}.png")
    return folder


def links_out(folder):
    (folder / "in").mkdir()
    images(folder / "out", plain)
    for file in (folder / "out").iterdir():
        (folder / "in" / file.name).symlink_to(file)
    return metadata(folder / "in", plain)


def climbing_names(folder):
    images(folder / "out", plain)
    (folder / "in").mkdir()
    return metadata(folder / "in", lambda pair, role: f"..\\out\\{plain(pair, role)}")


def one_image_lacks(folder):
    two_folders_and_prompts(folder)
    (folder / "original" / "0002.png").unlink()
    return folder


def a_role_twice(folder):
    images(folder, lambda pair, role: f"{role}/{pair}.png")
    picture(IDS[0], "original").save(folder / "original" / "0001.jpg")
    prompts(folder)
    return folder


def no_prompt_anywhere(folder):
    images(folder, lambda pair, role: f"{role}/{pair}.png")
    return folder


def alike_but_for_case(folder):
    images(folder, lambda pair, role: plain(pair, role).upper())
    images(folder, lambda pair, role: plain(pair, role).capitalize().replace(".png", ".PNG"))
    return metadata(folder, lambda pair, role: f"{pair}_{role.swapcase()}x.png")


REFUSED = {
    one_zip: r"holds the archive all\.zip\. Unpack it",
    the_zip_itself: r"Unpack it, and give the folder",
    absolute_paths: "is an absolute path; put the image into the folder",
    windows_drive: "is an absolute path; put the image into the folder",
    geneval_once: r"nothing pairs its images .*original/ and distorted/",
    hpsv2_once: r"nothing pairs its images .*original/ and distorted/",
    links_out: "leads out of the folder of the table",
    climbing_names: "there is no file|leads out of the folder",
    one_image_lacks: "id '2' has no image original",
    a_role_twice: r"two files are image original of '1'.*Keep one",
    no_prompt_anywhere: r"'1' has no prompt.* prompts\.csv",
    alike_but_for_case: "there is no file",
}


@pytest.mark.parametrize("layout", REFUSED, ids=lambda layout: layout.__name__)
def test_a_layout_that_cannot_be_read_is_told_in_one_line(tmp_path, layout):
    source = layout(tmp_path)
    with pytest.raises(InputError, match=REFUSED[layout]) as caught:
        load_pairs(source)
    assert "\n" not in str(caught.value)
