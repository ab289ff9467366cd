"""What happens to a machine meanwhile: after it the table is that of an undisturbed run.

Or the command says in one line what is missing. Kills have a file of their own.
"""

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.fault_jobs import workshop
from support.loopback_apis import openai_error
from support.loopback_judge import JudgeService, choose, dark_pairs
from support.toy_pairs import dataset, picture, rows
from support.toy_rewards import ToyDual, length_and_light

from aas_bench.errors import StoreError
from aas_bench.run.score import score

pytest.importorskip("openai")

REWARD = "support.slow_reward:quick"
SLOW = "support.slow_reward:slow"
CHROME = ["--placebos", "none", "--accept-prompt-blind"]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    environment = {**os.environ, "OPENAI_API_KEY": "any"}
    with workshop(environment, tmp_path_factory.mktemp("logs")) as begin:
        yield begin


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A Parquet file of toy pairs."""
    file = tmp_path_factory.mktemp("pairs") / "pairs.parquet"
    dataset(rows(n_prompts=20)).to_parquet(file)
    return file


def toy_score(out, *, n=20, **options):
    given = {"part_size": 4, "progress": False, "accept_prompt_blind": True, **options}
    score(dataset(rows(n_prompts=n)), [ToyDual("dual")], out=out, **given)
    return (out / "scores.parquet").read_bytes()


def scoring(pairs, out, *more, reward=REWARD):
    return ["score", "-d", pairs, "-r", reward, "-o", out, *CHROME, *more]


def one_line(child, code):
    """What a command said, in one line and without a traceback."""
    found = child.wait()
    said = child.said()
    assert found == code, said
    (line,) = [each for each in said.splitlines() if each.startswith("aas-bench:")]
    assert "Traceback" not in said
    return line


@contextlib.contextmanager
def mounted(folder, *options):
    """A small disk of its own, where that is permitted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# A full disk.


@pytest.mark.parametrize("nth", [1, 2, 7, 31, 33])
def test_a_disk_that_fills_at_any_write(tmp_path, monkeypatch, nth):
    """1 is the manifest, 31 the checksum of the last part, 33 what tells how it was made."""
    whole, left = toy_score(tmp_path / "whole"), [nth]
    fsync = os.fsync

    def full(descriptor):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"the disk is full. Make room and repeat the"):
            toy_score(tmp_path / "out")
    assert not list((tmp_path / "out").rglob(".aside-*"))
    assert toy_score(tmp_path / "out") == whole


def test_a_full_disk_is_one_line_and_what_was_scored_stays(start, pairs, tmp_path):
    assert start("command", *scoring(pairs, tmp_path / "whole")).wait() == 0
    with mounted(tmp_path / "disk", "size=96k") as disk:
        filler = disk / "filler"
        filler.write_bytes(b"0" * 72 * 1024)
        line = one_line(start("command", *scoring(pairs, disk / "run")), 1)
        assert line.endswith("the disk is full. Make room and repeat the command.")
        filler.unlink()
        assert start("command", *scoring(pairs, disk / "run")).wait() == 0
        found = [(f / "scores.parquet").read_bytes() for f in (disk / "run", tmp_path / "whole")]
        assert found[0] == found[1]


def test_a_full_disk_takes_no_half_vote(tmp_path):
    """The next vote would begin in the middle of it, and no line of the file be read again."""
    code = """
import resource, sys
from pathlib import Path
from aas_bench.errors import StoreError
from aas_bench.tables.votes import Vote, VotesFile, read_lines
path = Path(sys.argv[1])
file = VotesFile(path)
vote = lambda i: Vote(pair_id=f"p/{i}", rater="Ada", choice=1)
file.append(vote(0))
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, resource.RLIM_INFINITY))
for i in (1, 2):
    try:
        file.append(vote(i))
    except StoreError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
file.append(vote(3))
print([each.pair_id for each in read_lines(path)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "votes.jsonl"],
        capture_output=True,
        text=True,
        check=True,
    )
    *told, left = done.stdout.splitlines()
    assert len(told) == 2
    assert all(each.endswith("Make room; the vote was not stored.") for each in told)
    assert left == "['p/0', 'p/3']"


# A folder that cannot be written.


def test_a_read_only_folder_is_one_line(start, pairs, tmp_path):
    with mounted(tmp_path / "disk", "size=1m", "ro") as disk:
        line = one_line(start("command", *scoring(pairs, disk / "run")), 2)
        assert line == f"aas-bench: {disk / 'run'}: Read-only file system. Give another path."


def test_a_folder_that_becomes_read_only_costs_nothing(start, pairs, tmp_path):
    assert start("command", *scoring(pairs, tmp_path / "whole")).wait() == 0
    with mounted(tmp_path / "disk", "size=1m") as disk:
        remount = ["mount", "-o", "remount,{}", str(disk)]
        assert start("command", *scoring(pairs, disk / "run")).wait() == 0
        (disk / "run" / "scores.parquet").unlink()
        subprocess.run([each.format("ro") for each in remount], check=True)
        line = one_line(start("command", *scoring(pairs, disk / "run")), 2)
        assert "Read-only file system. Give another path." in line
        assert ".aside" not in line
        subprocess.run([each.format("rw") for each in remount], check=True)
        assert start("command", *scoring(pairs, disk / "run")).wait() == 0
        found = [(f / "scores.parquet").read_bytes() for f in (disk / "run", tmp_path / "whole")]
        assert found[0] == found[1]


# A source that disappears.


def image_folder(folder, n=12):
    folder.mkdir()
    lines = []
    for i in range(n):
        for side, seed in (("original", 2 * i), ("distorted", 2 * i + 1)):
            picture(seed).save(folder / f"{i}_{side}.png")
        row = {"pair_id": f"p/{i}", "index": i, "model": "m", "label": 1}
        row |= {"prompt_original": f"a cat {i}", "prompt_distorted": f"a dim cat {i}"}
        row |= {"image_original": f"{i}_original.png", "image_distorted": f"{i}_distorted.png"}
        lines.append(json.dumps(row | {"dimensions": ["clarity"]}))
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    return folder / "pairs.jsonl"


def test_an_image_that_disappears_is_named_and_the_others_are_scored(tmp_path, caplog):
    whole = image_folder(tmp_path / "whole")
    options = {"part_size": 2, "workers": 1, "progress": False, "placebos": "none"}
    score(str(whole), length_and_light, out=tmp_path / "a", **options)
    file = image_folder(tmp_path / "broken")
    calls = []

    def reward(images, prompts):
        calls.append(1)
        if len(calls) == 1:
            (file.parent / "9_distorted.png").unlink()
        return length_and_light(images, prompts)

    reward.__qualname__ = reward.__name__ = "length_and_light"
    score(str(file), reward, out=tmp_path / "b", **options)
    assert "1 of 12 pairs lack scores; the column 'error' says why." in caplog.text
    tables = [pq.read_table(tmp_path / run / "scores.parquet").to_pylist() for run in "ab"]
    for i, (there, here) in enumerate(zip(*tables, strict=True)):
        if i != 9:
            assert here == there
    error = tables[1][9]["error"]
    assert "image_distorted" in error
    assert "9_distorted.png" in error
    assert tables[1][9]["length_and_light_oidp"] == tables[0][9]["length_and_light_oidp"]
    assert tables[1][9]["length_and_light_didp"] is None


def test_a_table_that_disappears_meanwhile_is_missed_by_nobody(tmp_path):
    files = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for file in files:
        dataset(rows(n_prompts=4)).to_parquet(file)
    options = {"part_size": 2, "progress": False, "placebos": "none"}
    score(str(files[0]), length_and_light, out=tmp_path / "a", **options)

    def reward(images, prompts):
        files[1].unlink(missing_ok=True)
        return length_and_light(images, prompts)

    reward.__qualname__ = reward.__name__ = "length_and_light"
    score(str(files[1]), reward, out=tmp_path / "b", **options)
    found = [(tmp_path / run / "scores.parquet").read_bytes() for run in "ab"]
    assert found[0] == found[1]


# Damage.


@pytest.mark.parametrize("damage", ["one bit", "cut", "swapped", "gone"])
def test_a_damaged_part_is_made_again(tmp_path, damage):
    whole = toy_score(tmp_path)
    (tmp_path / "scores.parquet").unlink()
    parts = sorted((tmp_path / "parts").glob("*.parquet"))
    content = bytearray(parts[3].read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "swapped":
        content = parts[4].read_bytes()
    parts[3].write_bytes(content) if damage != "gone" else parts[3].unlink()
    assert toy_score(tmp_path) == whole


def test_a_part_that_is_no_table_though_its_checksum_says_so_is_made_again(tmp_path):
    whole = toy_score(tmp_path)
    from aas_bench.files import file_sha256

    file = sorted((tmp_path / "parts").glob("*.parquet"))[2]
    file.write_bytes(b"PAR1 and nothing else PAR1")
    file.with_suffix(".sha256").write_text(f"{file_sha256(file)}  {file.name}\n")
    assert toy_score(tmp_path) == whole


@pytest.mark.parametrize("content", [b"{", b"[]", b"[" * 100_000])
@pytest.mark.parametrize("name", ["pairs.json", "run.json", "manifest.json"])
def test_a_damaged_file_of_a_run_is_one_line_at_most(start, pairs, tmp_path, name, content):
    assert start("command", *scoring(pairs, tmp_path / "run", "--limit", "4")).wait() == 0
    (tmp_path / "run" / name).write_bytes(content)
    for command in (["analyse", tmp_path / "run"], scoring(pairs, tmp_path / "run")):
        child = start("command", *command)
        assert child.wait() in (0, 1, 2), child.said()
        assert "Traceback" not in child.said()


# Time.


def test_a_clock_that_goes_backwards(tmp_path, monkeypatch):
    whole = toy_score(tmp_path / "whole")
    clock = [2e9]

    def backwards():
        clock[0] -= 3600
        return clock[0]

    monkeypatch.setattr(time, "time", backwards)
    monkeypatch.setattr(time, "time_ns", lambda: int(backwards() * 1e9))
    assert toy_score(tmp_path / "out") == whole
    (tmp_path / "out" / "parts" / "part-00001.sha256").unlink()
    assert toy_score(tmp_path / "out") == whole


def test_a_service_that_is_away_for_ten_minutes(tmp_path, monkeypatch):
    """By a clock of its own, which only waiting moves on."""
    import tenacity.nap

    from aas_bench.run.judge import judge

    monkeypatch.setenv("OPENAI_API_KEY", "any")
    clock = [0.0]
    monkeypatch.setattr(
        tenacity.nap.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds)
    )

    def say(seen):
        n[0] += 1
        if n[0] > 6 and clock[0] < 600:
            return openai_error(503, "server_error", "away")
        return choose(seen.darker)

    def ask(out, url, **options):
        places = {"out": out / "run", "cache": out / "cache", "base_url": url, "progress": False}
        return judge(dark_pairs(8), "openai:m-1", **places, concurrency=1, **options)

    n = [-1000]
    with JudgeService(say).running() as service:
        whole = ask(tmp_path / "whole", service.url)
        n[0] = 0
        patient = ask(tmp_path / "patient", service.url, attempts=20, max_wait=60.0)
        assert clock[0] >= 600
        assert patient.frame.equals(whole.frame), "who waits long enough notices nothing"
        n[0], clock[0] = 0, 0.0
        first = ask(tmp_path / "out", service.url)
        assert clock[0] < 600
        failed = first.answers[first.answers["status"] != "ok"]
        assert len(failed) == 10, "the six that were answered stay"
        assert failed["reason"].str.contains("away").all()
        assert first.frame["label_openai:m-1"].isna().sum() == 5
        clock[0] = 600.0
        second = ask(tmp_path / "out", service.url)
        assert second.frame.equals(whole.frame)


# Others at the same time.


def test_two_processes_on_one_run(start, tmp_path):
    toy_whole = tmp_path / "whole"
    assert start("score_pairs", toy_whole).wait() == 0
    whole = (toy_whole / "scores.parquet").read_bytes()
    n_told = 0
    rng = np.random.default_rng(0)
    for i in range(4):
        out = tmp_path / str(i)
        children = [start("score_pairs", out)]
        time.sleep(rng.uniform(0, 0.2))
        children += [start("score_pairs", out) for _ in range(2)]
        codes = [child.wait() for child in children]
        for child, code in zip(children, codes, strict=True):
            told = "another process writes to this run. Wait for it" in child.said()
            assert told == (code != 0), child.said()
            n_told += told
        assert 0 in codes
        assert (out / "scores.parquet").read_bytes() == whole
    assert n_told > 0


# Signals.


@pytest.fixture(scope="module")
def many(start, tmp_path_factory):
    """Pairs of several parts, and the table of an undisturbed run."""
    folder = tmp_path_factory.mktemp("many")
    dataset(rows(n_prompts=200)).to_parquet(folder / "many.parquet")
    given = scoring(folder / "many.parquet", folder / "whole", reward=SLOW)
    assert start("command", *given).wait() == 0
    return folder / "many.parquet", (folder / "whole" / "scores.parquet").read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_cleanly_and_the_same_command_goes_on(start, many, tmp_path, number, code):
    pairs, whole = many
    out = tmp_path / "run"
    given = list(map(str, scoring(pairs, out, reward=SLOW)))
    process = subprocess.Popen(
        [sys.executable, "-m", "aas_bench", *given],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        # A shell ignores SIGINT for what it runs in the background, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not list(out.glob("parts/*.sha256")):
        time.sleep(0.005)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("aas-bench: interrupted. Go on with: aas-bench score")
    assert not list(out.rglob(".aside-*"))
    assert not (out / "scores.parquet").exists()
    done = [file.read_bytes() for file in sorted(out.glob("parts/*.parquet"))]
    assert len(done) >= 1
    assert start("command", *given).wait() == 0
    assert [f.read_bytes() for f in sorted(out.glob("parts/*.parquet"))][: len(done)] == done
    assert (out / "scores.parquet").read_bytes() == whole


IMPORTED = """
import signal, sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupted())
sys.argv = ["aas-bench", "list", "rewards"]
"""


PROJECT = Path(__file__).parents[2] / "pyproject.toml"
SCRIPT = "from {} import {} as main; main()".format(
    *re.search(r'^aas-bench = "(.*):(.*)"$', PROJECT.read_text(), re.MULTILINE).groups()
)


@pytest.mark.parametrize(
    "begin",
    [
        "import runpy; runpy.run_module('aas_bench', run_name='__main__')",
        SCRIPT,
    ],
    ids=["module", "script"],
)
def test_a_signal_while_it_is_imported_leaves_no_traceback(begin):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED + begin], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


BUILT = """
import signal, sys
import aas_bench.cli
signal.signal(signal.SIGINT, signal.default_int_handler)
aas_bench.cli.quiet_when_piped = lambda: signal.raise_signal(signal.SIGINT)
sys.argv = ["aas-bench", "list", "rewards"]
"""


def test_a_signal_before_the_commands_are_ready_leaves_no_traceback():
    done = subprocess.run(
        [sys.executable, "-c", BUILT + SCRIPT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_signal_does_not_wait_for_a_service_that_hangs(tmp_path):
    """The answer under way would come after half a minute."""
    file = tmp_path / "pairs.parquet"
    dark_pairs(6).to_parquet(file)
    with JudgeService(lambda seen: choose("first"), stall=30).running() as service:
        command = [sys.executable, "-m", "aas_bench", "judge", "pairwise", "-d", str(file)]
        command += ["-j", "openai:m-1", "-o", str(tmp_path / "run"), "--base-url", service.url]
        command += ["--cache", str(tmp_path / "cache")]
        process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENAI_API_KEY": "any"},
        )
        while process.poll() is None and not service.asked:
            time.sleep(0.01)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        seconds = time.monotonic() - begun
    assert process.returncode == 143, said
    assert "Go on with: aas-bench judge" in said
    assert seconds < 20, "it waited for the answers that were under way"


def test_an_image_that_is_no_picture_any_more(tmp_path):
    """Cut while the run is under way: named, and the rest is scored."""
    file = image_folder(tmp_path / "pairs", n=3)
    Image.new("RGB", (64, 64), "red").save(file.parent / "2_original.png")
    content = (file.parent / "2_original.png").read_bytes()
    (file.parent / "2_original.png").write_bytes(content[: len(content) // 2])
    options = {"progress": False, "placebos": "none"}
    score(str(file), length_and_light, out=tmp_path / "run", **options)
    errors = pq.read_table(tmp_path / "run" / "scores.parquet")["error"].to_pylist()
    assert errors[:2] == [None, None]
    assert errors[2].startswith("image_original: ")
