import hashlib
import stat
import subprocess
import sys

import pytest

from aas_bench.errors import InputError
from aas_bench.files import file_sha256, json_bytes, whole_file


def test_a_file_is_whole_or_as_it_was(tmp_path):
    target = tmp_path / "a"
    with whole_file(target) as file:
        file.write(b"first")
        assert not target.exists()
    assert target.read_bytes() == b"first"
    with pytest.raises(KeyboardInterrupt), whole_file(target) as file:  # noqa: PT012 - two steps
        file.write(b"second")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"first"
    with target.open("rb") as reader:
        with whole_file(target) as file:
            file.write(b"third")
        assert reader.read() == b"first", "who reads the old file reads it to its end"
    assert target.read_bytes() == b"third"
    assert [f.name for f in tmp_path.iterdir()] == ["a"]


def test_it_has_the_rights_of_any_other_file(tmp_path):
    (tmp_path / "other").touch()
    with whole_file(tmp_path / "a"):
        pass
    rights = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("a", "other")]
    assert rights[0] == rights[1]


def test_without_a_folder(tmp_path):
    with (
        pytest.raises(InputError, match=r"there is no folder '.*nowhere'. Make it first"),
        whole_file(tmp_path / "nowhere" / "a"),
    ):
        pytest.fail("it was opened")


def test_the_checksum_of_a_file_longer_than_a_block(tmp_path):
    content = bytes(range(256)) * 2**13  # 2 MiB
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_equal_values_are_equal_json_and_nan_is_none():
    assert json_bytes({"b": 1, "a": "é"}) == json_bytes({"a": "é", "b": 1})
    assert json_bytes({"a": "é"}) == '{\n  "a": "é"\n}\n'.encode()
    with pytest.raises(InputError, match=r"cannot be stored as JSON: .* Use strings, finite"):
        json_bytes({"a": float("nan")})


@pytest.mark.parametrize("first", ["", "import datasets, huggingface_hub\n"])
def test_no_progress_bar_goes_into_a_pipe(first):
    code = (
        f"{first}from aas_bench.files import quiet_when_piped\nquiet_when_piped()\n"
        "from datasets import Dataset\n"
        "Dataset.from_generator(lambda: iter([{'a': 1}]))\n"
        "from huggingface_hub.utils import are_progress_bars_disabled\n"
        "assert are_progress_bars_disabled()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
