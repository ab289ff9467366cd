"""The viewer answers its own pages on this machine, says what is missing, leads nowhere else."""

import http.client
import io
import json
import re
import threading
from html import unescape
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from support.generator_runs import prompts
from support.generator_runs import run as generator_run
from support.score_runs import score_frame
from support.toy_pairs import dataset, png, rows

from aas_bench.errors import InputError
from aas_bench.run.judge import judge
from aas_bench.run.score import score
from aas_bench.tables.pairs import load_pairs
from aas_bench.viewer import runs
from aas_bench.viewer.runs import NoImages, Opened, beside, open_for_looking
from aas_bench.viewer.viewer_page import ViewerServer

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
N = 60


def red(images, prompts):
    return [i.getpixel((0, 0))[0] + len(p) for i, p in zip(images, prompts, strict=True)]


def green(images, prompts):
    return [i.getpixel((0, 0))[1] - len(p) for i, p in zip(images, prompts, strict=True)]


def table_rows():
    made = list(rows(N // 3))
    made[1]["prompt_distorted"] = EVIL
    made[1]["model"] = "<b>two</b>"
    made[2]["pair_id"] = "../../etc/passwd?a=1&b=2#c"
    return made


def no_pairs():
    msg = "there is no folder 'x' here. Check the spelling."
    raise InputError(msg)


@pytest.fixture(scope="module")
def pairs():
    return dataset(table_rows())


@pytest.fixture(scope="module")
def run(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("viewer") / "<i>run</i>"
    score(pairs, [red, green], out=folder, progress=False)
    return folder


@pytest.fixture
def serve():
    servers = []

    def start(opened):
        server = ViewerServer(opened)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def ask(path, *, method="GET", headers=None, body=None):
            connection = http.client.HTTPConnection(*server.server_address, timeout=30)
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            found = answer.status, answer.read(), answer.headers
            connection.close()
            return found

        return ask

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ask(serve, run, pairs):
    return serve(open_for_looking(str(run), lambda: pairs))


def image_of(page, side):
    found = re.findall(r'<img src="([^"]+)"', page.decode())
    return unescape(next(address for address in found if f"side={side}" in address))


def test_only_this_machine_is_answered_and_nothing_can_be_sent(serve, run, pairs):
    opened = open_for_looking(str(run), lambda: pairs)
    ask = serve(opened)
    assert ask("/")[0] == 200
    for path in ("/", "/pair?pair=one/0000", "/image?row=0&side=original"):
        assert ask(path, headers={"Host": "evil.example"})[0] == 403
    assert ask("/", method="POST", body="x")[0] == 405
    for path in ("/../pyproject.toml", "/static/x", "//etc/passwd", "/%2e%2e/x"):
        assert ask(path)[0] == 404
    first = ViewerServer(opened)
    with pytest.raises(InputError, match="Give another --port, or none"):
        ViewerServer(opened, port=first.server_address[1])
    first.server_close()


def test_what_the_run_says_is_escaped_and_the_policy_runs_nothing_of_it(ask):
    pages = [ask("/"), ask("/?q=script"), ask(f"/?{urlencode({'q': EVIL})}")]
    pages.append(ask(f"/pair?{urlencode({'pair': 'one/0001'})}"))
    for status, body, headers in pages:
        assert status == 200
        text = re.sub(r"(?s)<style>.*?</style>|<script>.*?</script>\n</body>", "", body.decode())
        assert not re.search(r"<script|<img src=x|<i>run|<b>two", text)
        assert "alert" in text
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'sha256-" in policy
        assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
        assert "http" not in policy


def test_a_pair_of_any_name_has_a_page_and_its_neighbours(ask):
    name = "../../etc/passwd?a=1&b=2#c"
    status, body, _ = ask(f"/pair?{urlencode({'pair': name, 'reward': 'red'})}")
    assert status == 200
    assert name in unescape(body.decode())
    before, after = (
        unescape(re.search(rf'rel="{rel}" href="([^"]+)"', body.decode())[1])
        for rel in ("prev", "next")
    )
    assert b"<h1>one/0001</h1>" in ask(before)[1]
    assert b"<h1>one/0003</h1>" in ask(after)[1]
    assert b'rel="prev"' not in ask("/pair?pair=one/0000")[1]
    assert ask("/pair?pair=nobody")[0] == 404
    lone = ask(f"/pair?{urlencode({'pair': name, 'q': 'rocket', 'dimensions': ''})}")[1]
    assert b"pair 1 of 15" in lone


def test_pages_hold_a_few_pairs_each_and_every_pair_once(ask):
    seen = []
    for page in (1, 2, 3):
        body = ask(f"/?page={page}")[1].decode()
        seen += [unescape(each) for each in re.findall(r'class="open" href="([^"]+)"', body)]
        assert len(re.findall("<article", body)) <= 24
    assert len(seen) == len(set(seen)) == N
    assert ask("/?page=99")[1] == ask("/?page=3")[1]
    assert ask("/?page=0")[0] == 400


def test_images_are_those_of_the_pair_small_and_whole(ask, pairs):
    body = ask("/")[1]
    address = image_of(body, "distorted")
    status, content, headers = ask(address)
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    shown = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=float)
    given = np.asarray(pairs[0]["image_distorted"].convert("RGB"), dtype=float)
    assert shown.shape == given.shape
    assert np.corrcoef(shown.ravel(), given.ravel())[0, 1] > 0.5
    for query in (
        "row=0&side=up",
        "row=-1&side=original",
        "row=9999&side=original",
        "side=original",
        "row=..%2F..%2Fetc&side=original",
        "row=0&side=original&size=9",
    ):
        assert ask(f"/image?{query}")[0] == 404


def test_a_large_image_is_small_in_the_list_and_bounded_on_its_page(serve, tmp_path):
    table = list(rows(1, ("one",)))
    large = png(Image.new("RGB", (4000, 1000), "red"))
    table[0]["image_original"] = {"bytes": large, "path": None}
    pairs = dataset(table)
    score(pairs, red, out=tmp_path / "run", progress=False)
    ask = serve(open_for_looking(str(tmp_path / "run"), lambda: pairs))
    address = image_of(ask("/")[1], "original")
    assert Image.open(io.BytesIO(ask(address)[1])).size == (560, 140)
    whole = address.replace("size=small", "size=full")
    assert Image.open(io.BytesIO(ask(whole)[1])).size == (2048, 512)


def test_what_is_missing_is_said_where_it_is_missed(serve, run, monkeypatch, pairs):
    table = table_rows()
    table[0]["image_distorted"] = {"bytes": b"GIF89a no image", "path": None}
    table[1]["image_original"] = {"bytes": None, "path": "/nowhere/at/all.png"}
    del table[5]
    monkeypatch.setattr(runs, "MOST_BYTES", 1000)
    table[3]["image_original"] = {"bytes": b"x" * 1001, "path": None}
    opened = open_for_looking(str(run), lambda: dataset(table))
    assert opened.notes == ("1 pair of this table are not in the data set that the images are of",)
    ask = serve(opened)
    expected = {
        (0, "distorted"): "no image of a known format",
        (1, "original"): "not there any more",
        (3, "original"): "too large for a look",
        (5, "original"): "no such pair",
    }
    for (row, side), words in expected.items():
        status, body, headers = ask(f"/image?row={row}&side={side}")
        assert (status, headers["Content-Type"]) == (404, "image/svg+xml")
        said = " ".join(re.findall(r"<tspan[^>]*>([^<]*)", body.decode()))
        assert words in said, said
    assert ask("/image?row=4&side=original")[0] == 200


def test_a_data_set_that_moved_leaves_the_scores(serve, run):
    opened = open_for_looking(str(run), no_pairs)
    (note,) = opened.notes
    assert note.startswith("no images: there is no folder 'x' here. Name the pairs")
    ask = serve(opened)
    body = ask("/")[1].decode()
    assert "no images: there is no folder" in unescape(body)
    assert body.count('class="verdict') >= 24
    assert ask("/image?row=0&side=original")[0] == 404


def test_a_run_that_grows_or_was_killed_shows_its_whole_parts(tmp_path, pairs):
    folder = tmp_path / "run"
    score(pairs, red, out=folder, progress=False, part_size=16)
    whole = open_for_looking(str(folder), lambda: pairs).table.frame
    (folder / "scores.parquet").unlink()
    (folder / "run.json").unlink()
    (folder / "parts" / "part-00001.parquet").write_bytes(b"PAR1 half a part")
    (folder / "parts" / ".aas-bench-aside").write_bytes(b"x")
    (folder / "parts" / "part-00002.sha256").unlink()
    opened = open_for_looking(str(folder), lambda: pairs)
    assert opened.notes[0].startswith("unfinished: the first 28 pairs")
    kept = whole.drop(range(16, 48)).reset_index(drop=True)
    assert opened.table.frame[["pair_id", "red_didp"]].equals(kept[["pair_id", "red_didp"]])
    for part in (folder / "parts").glob("*.sha256"):
        part.unlink()
    with pytest.raises(InputError, match=r"no finished part yet\. Wait for it"):
        open_for_looking(str(folder), lambda: pairs)
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError):
        open_for_looking(str(folder), lambda: pairs)
    with pytest.raises(InputError):
        open_for_looking(str(tmp_path / "nothing"), lambda: pairs)


def test_a_run_that_grows_shows_the_new_round_and_what_was_there(tmp_path, pairs, monkeypatch):
    """As a kill in the second round leaves it: the table of the first is there and is old."""
    folder = tmp_path / "run"
    score(pairs.select(range(20)), red, out=folder, progress=False, part_size=16)
    monkeypatch.setattr("aas_bench.run.score.RunDirectory.write_table", _killed)
    with pytest.raises(KeyboardInterrupt):
        score(pairs, [red, green], out=folder, progress=False, part_size=16)
    monkeypatch.undo()
    (folder / "parts-2" / "part-00000.parquet").unlink()
    opened = open_for_looking(str(folder), lambda: pairs)
    assert opened.notes[0].startswith("unfinished: the first 44 pairs, and 16 as they were before")
    found = opened.table.frame.set_index("pair_id")
    assert (len(found), found.index.is_unique) == (60, True)
    assert found["green_didp"].notna().sum() == 44
    score(pairs, [red, green], out=folder, progress=False, part_size=16)
    opened = open_for_looking(str(folder), lambda: pairs)
    assert (opened.notes, opened.table.frame["green_didp"].notna().all()) == ((), True)
    whole = opened.table.frame.set_index("pair_id")["red_didp"]
    assert (found["red_didp"] == whole[found.index]).all()


def _killed(self, name, tables, schema):
    raise KeyboardInterrupt


def test_two_generators_stand_side_by_side_with_the_images_of_both(serve, tmp_path):
    refused = {(1, "distorted"): ("refused", "not allowed")}
    made = [
        generator_run(tmp_path / "a", prompts(4)),
        generator_run(tmp_path / "b", prompts(3), verdicts=refused),
    ]
    both = beside(*(open_for_looking(str(path), list) for path in made))
    assert both.table.rewards == ("length:a", "length:b")
    assert both.focus == {"reward": "length:a", "other": "length:b"}
    assert any(note.startswith("3 pairs of both runs; 1 more") for note in both.notes)
    ask = serve(both)
    body = ask("/?reward=length%3Aa&other=length%3Ab")[1].decode()
    assert body.count("<article") == 3
    assert body.count("<img") == 12
    assert "asked for, b" in body
    for row, maker, status in ((0, 0, 200), (0, 1, 200), (1, 0, 200), (1, 1, 404), (0, 2, 404)):
        found = ask(f"/image?row={row}&side=distorted&maker={maker}")
        assert found[0] == status, (row, maker)
        assert (b"refused" in found[1]) == ((row, maker) == (1, 1))


def test_a_generators_run_shows_what_was_made_and_why_the_rest_was_not(serve, tmp_path):
    refused = ("refused", f"not allowed {EVIL}")
    made = generator_run(
        tmp_path / "made", prompts(4), verdicts={(2, "distorted"): refused}, scored=False
    )
    outside = tmp_path / "private.png"
    Image.new("RGB", (8, 8), "red").save(outside)
    link = made / "images" / "0001_original.png"
    link.unlink()
    link.symlink_to(outside)

    def never():
        raise AssertionError

    opened = open_for_looking(str(made), never)
    assert opened.notes == ("not scored: images and prompts only",)
    ask = serve(opened)
    body = ask("/")[1].decode()
    assert body.count("<article") == 4
    assert "a blurred cat number 3" in re.sub("</?mark>", "", body)
    assert ask("/image?row=0&side=original")[0] == 200
    refusal = ask("/image?row=2&side=distorted")
    assert refusal[0] == 404
    assert b"refused" in refusal[1]
    assert b"<script" not in refusal[1]
    linked = ask("/image?row=1&side=original")
    assert linked[0] == 404
    assert b"link out of the run" in re.sub(rb"</tspan><tspan[^>]*>", b" ", linked[1])


def test_a_scored_generators_run_has_outcomes_and_figures(serve, tmp_path):
    made = generator_run(tmp_path / "made", prompts(4))
    opened = open_for_looking(str(made), list)
    assert opened.table.rewards == ("length",)
    body = serve(opened)("/")[1].decode()
    assert body.count('class="verdict') == 4
    assert "Of all 4 pairs" in body


def test_judges_are_shown_by_their_votes_side_by_side(serve, tmp_path, pairs):
    def always(choice):
        return lambda question, pictures: {"why": "x", "choice": choice}

    def darker(question, pictures):
        first, second = (np.asarray(picture).mean() for picture in pictures)
        return {"why": "darker", "choice": "first" if first < second else "second"}

    never = always("neither")
    never.__name__ = "never"
    judge(pairs, [darker, never], out=tmp_path / "run", cache=tmp_path / "c", progress=False)
    opened = open_for_looking(str(tmp_path / "run"), lambda: pairs)
    assert set(opened.table.rewards) >= {"darker", "never", "majority"}
    body = serve(opened)("/?reward=darker&other=never")[1].decode()
    first = re.search(r"(?s)<article.*?</article>", body)[0]
    assert "scored both the same" in first
    assert "1.00" in first
    assert "0.50" in first


def test_two_runs_stand_side_by_side_on_the_pairs_that_both_hold(tmp_path):
    frames = [score_frame(n=30, rewards=("hpsv3",), seed=seed) for seed in (1, 2)]
    frames[1] = frames[1].iloc[::-1][:20].reset_index(drop=True)
    opened = []
    for name, frame in zip(("one", "two"), frames, strict=True):
        (tmp_path / name).mkdir()
        frame.to_parquet(tmp_path / name / "scores.parquet")
        opened.append(open_for_looking(str(tmp_path / name), no_pairs))
    both = beside(*opened)
    assert both.table.rewards == ("hpsv3:one", "hpsv3:two")
    assert any(note.startswith("20 pairs of both runs; 10 more") for note in both.notes)
    right = frames[1].set_index("pair_id")
    for _, row in both.table.frame.iterrows():
        assert row["hpsv3:two_didp"] == right["hpsv3_didp"][row["pair_id"]]
    from aas_bench.measure.part import Parts

    # The scale of the scores is still known by the name: log-odds of probabilities, for one.
    assert Parts(both.table)._views.probability("hpsv3:one") == Parts(
        opened[0].table
    )._views.probability("hpsv3")
    frames[1]["prompt_distorted"] = "another"
    frames[1].to_parquet(tmp_path / "two" / "scores.parquet")
    with pytest.raises(InputError, match="has another prompt in two than in one"):
        beside(opened[0], open_for_looking(str(tmp_path / "two"), no_pairs))
    frames[1]["pair_id"] += "x"
    frames[1].to_parquet(tmp_path / "two" / "scores.parquet")
    with pytest.raises(InputError, match=r"share no pair\. Give two runs"):
        beside(opened[0], open_for_looking(str(tmp_path / "two"), no_pairs))


def test_a_table_without_prompts_or_requests_still_shows(serve, tmp_path):
    from aas_bench.tables.scores import ScoreTable

    frame = score_frame(n=3).drop(columns=["prompt_original", "prompt_distorted", "dimensions"])
    table = ScoreTable.from_frame(frame)
    ask = serve(Opened(name="t", table=table, images=NoImages("not at hand")))
    assert ask("/")[0] == 200
    assert b"not in the table" in ask("/pair?pair=p/0001")[1]


def test_what_load_pairs_gives_is_what_is_shown(tmp_path, serve):
    """A table of file names whose images are links out of its folder is refused, and said so."""
    outside = tmp_path / "private.png"
    Image.new("RGB", (8, 8), "red").save(outside)
    folder = tmp_path / "table"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    (folder / "b.png").symlink_to(outside)
    row = {"pair_id": "p", "prompt_distorted": "dark", "r_oidp": 1.0, "r_didp": 2.0}
    row |= {"image_original": "a.png", "image_distorted": "b.png"}
    (folder / "t.jsonl").write_text(json.dumps(row))
    source = str(folder / "t.jsonl")
    opened = open_for_looking(source, lambda: load_pairs(source))
    assert "leads out of the folder" in opened.notes[0]
    assert serve(opened)("/image?row=0&side=distorted")[0] == 404


def test_a_browser_that_goes_away_leaves_no_trace(run, pairs, capfd):
    server = ViewerServer(open_for_looking(str(run), lambda: pairs))
    for error in (BrokenPipeError(), ConnectionResetError()):
        try:
            raise error
        except ConnectionError:
            server.handle_error(None, server.server_address)
    assert capfd.readouterr().err == ""
    try:
        raise ValueError
    except ValueError:
        server.handle_error(None, server.server_address)
    assert "ValueError" in capfd.readouterr().err
    server.server_close()
