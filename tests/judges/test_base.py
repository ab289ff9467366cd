"""Pictures on their way to a judge."""

import io

import pytest
from PIL import ExifTags, Image
from support.toy_pairs import encoded

from aas_bench.errors import InputError
from aas_bench.judges.base import MAX_SIDE
from aas_bench.judges.graded import graded_question


def sent(content):
    [found] = graded_question("a", "b", {"bytes": content}).files().values()
    return found


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_plain_file_is_sent_as_it_is(kind):
    content = encoded(Image.linear_gradient("L").convert("RGB"), kind)
    assert sent(content) == (f"image/{kind.lower()}", content)


def test_other_files_are_made_anew_without_loss():
    image = Image.linear_gradient("L").resize((40, 30))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    long = Image.new("RGB", (MAX_SIDE * 2, 100), (1, 2, 3))
    for content, size in (
        (encoded(image), (40, 30)),
        (encoded(image.convert("RGB"), "JPEG", exif=exif), (30, 40)),
        (encoded(image.convert("RGB"), exif=exif), (30, 40)),
        (encoded(image.convert("RGB"), "BMP"), (40, 30)),
        (encoded(image.convert("RGBA")), (40, 30)),
        (encoded(long), (MAX_SIDE, 50)),
    ):
        kind, made = sent(content)
        assert kind == "image/png"
        shown = Image.open(io.BytesIO(made))
        assert (shown.format, shown.mode, shown.size) == ("PNG", "RGB", size)
    _, made = sent(encoded(image))
    assert Image.open(io.BytesIO(made)).tobytes() == image.convert("RGB").tobytes()


@pytest.mark.parametrize("cell", [None, {"bytes": b"no image"}, {"path": "/nowhere.png"}])
def test_what_is_no_picture_is_told(cell):
    with pytest.raises(InputError, match="picture"):
        graded_question("a", "b", cell).files()


def test_a_torn_png_is_told_though_it_is_not_decoded():
    whole = encoded(Image.effect_noise((64, 64), 90).convert("RGB"))
    hit = bytearray(whole)
    hit[len(hit) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], bytes(hit)):
        with pytest.raises(InputError, match="picture"):
            sent(content)
