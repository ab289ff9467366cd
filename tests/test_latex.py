"""What is given as LaTeX compiles with the packages that it names, whatever names are in it."""

import re
import shutil
import subprocess

import pytest
from support.leaderboard_records import fill
from support.report_tables import score_frame

from aas_bench.board.export import export
from aas_bench.board.site import Site
from aas_bench.errors import InputError
from aas_bench.measure.summary import summarise
from aas_bench.paper.comparison import Comparison, Figure
from aas_bench.paper.recompute import Reproduction
from aas_bench.paper.reproduction import to_latex
from aas_bench.tables.scores import ScoreTable
from aas_bench.words import latex, latex_table

HOSTILE = (
    r"100%_#&$x{}~^\ ",
    "[mine]",  # the end of a line takes it for its option, and TeX goes round for ever
    "*star",
    r"\input{/etc/passwd}",
    "奖励",
    "émile a\u0301 Łódź",
    "α×β ≥ −1 ≤ Ω ½",
    "🙂 ✓ ⚑ → …",
    "a--b---c ``q'' ?` \"x\" <b>|",
    "^^M\r\n\0\u200b",
    "Обзор",
)


def compiled(folder, *fragments):
    """What pdfLaTeX says of the fragments in one document, with only the packages they ask for."""
    needs = re.findall(r"\\usepackage(?:\[\w+\])?\{\w+\}", fragments[0].splitlines()[0])
    lines = [r"\documentclass{article}", *needs, r"\begin{document}", *fragments]
    (folder / "paper.tex").write_text("\n".join([*lines, r"\end{document}"]), encoding="utf-8")
    program = shutil.which("pdflatex") or pytest.skip("there is no pdflatex")
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-no-shell-escape", "paper.tex"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    told = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, [line for line in told.splitlines() if line.startswith("!")]
    return told


def test_hostile_names_compile_wherever_they_stand(tmp_path):
    tables = [
        latex_table(
            [name, "x"],
            [[latex(name), "1"]] * 2,
            numeric=[False, True],
            caption=name,
            label="tab:x",
        )
        for name in HOSTILE
    ]
    compiled(tmp_path, *tables)


def test_a_name_is_set_as_it_is_spelled():
    assert latex("a--b---c") == "a-{}-b-{}-{}-c"
    assert latex("奖励!") == r"\ifdefined\Umathchar 奖励\else U+5956 U+52B1\fi{}!"
    assert latex("a\u0301é") == "áé"
    first = latex_table(
        ["n"], [["[mine]"], ["*"]], numeric=[False], caption="c", label="tab:a"
    ).splitlines()
    assert r"{[}mine] \\" in first
    assert r"{*} \\" in first


@pytest.mark.parametrize("label", ["tab:50%", "a b", "x}", "", "tab:é"])
def test_a_label_that_no_reference_can_name_is_refused(label):
    with pytest.raises(InputError, match="cannot be referred to"):
        latex_table(["n"], [], numeric=[False], caption="c", label=label)


def test_a_summary_compiles_and_fits_a_page(tmp_path):
    frame = score_frame(doses=True)
    whole = summarise(ScoreTable.from_frame(frame)).to_latex(label="tab:whole")
    odd = frame.rename(columns=lambda name: name.replace("alpha", "[50%_奖]"))
    told = compiled(tmp_path, whole, summarise(ScoreTable.from_frame(odd)).to_latex())
    assert "Overfull" not in told


def test_every_table_of_the_board_compiles(tmp_path):
    site = Site(fill(tmp_path / "records"))
    tables = [export(table, "tex").decode() for table in site.tables.values()]
    assert len(tables) > 4
    compiled(tmp_path, *tables)


def test_a_reproduction_compiles(tmp_path):
    figure = {"column": "delta_hpsv3", "published": -3.165, "digits": 3}
    rows = [Figure(row=name, recomputed=None, **figure) for name in HOSTILE]
    comparison = Comparison(name="D.1", title="t", figures=tuple(rows))
    facts = {"source": "s", "n_rows": len(rows), "rewards": {}}
    compiled(tmp_path, to_latex(Reproduction(comparisons=(comparison,), **facts)))
