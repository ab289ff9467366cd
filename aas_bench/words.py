"""Numbers in words: one spelling of a value, an interval, a rank and a p-value everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Final, Protocol
from unicodedata import normalize

from aas_bench.errors import InputError

COLUMNS: Final = 80
"""How wide a line may be that a terminal shows."""
UNDEFINED: Final = "–"
NO_INTERVAL: Final = "no interval"
_NARROW_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"
_TOO_LONG: Final = 1e9
_WRAP: Final = TextWrapper(
    COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
)
_FORMULA: Final = ("=", "+", "-", "@")
_BREAKS: Final = ("\t", "\r", "\n")
_NOTHING: Final = "\0"
_LATEX: Final = {
    _NOTHING: "{}",
    "\\": r"\textbackslash{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "–": "--",
    "Δ": r"$\Delta$",
    "Σ": r"$\Sigma$",
    "κ": r"$\kappa$",
    "λ": r"$\lambda$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "`": r"\textasciigrave{}",
    _NARROW_SPACE: r"\,",
}


# What pdfLaTeX knows with T1 and textcomp: most of Latin, and punctuation.
_NO_LETTER: Final = re.compile(
    "[^\0-\u0125\u0128-\u0137\u0139-\u0148\u014a-\u0165\u0168-\u017e"
    "\u2010-\u2014\u2018-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2190-\u2193]+"
)
_LABEL: Final = re.compile(r"[\w:./+-]+", re.ASCII)


class Bounded(Protocol):
    """A value with an interval and, where either lacks, the reason: Estimate, Measurement."""

    @property
    def value(self) -> float | None:
        """The value; None where it is undefined."""

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""

    @property
    def reason(self) -> str | None:
        """Why there is no value, or no interval."""


def number(value: float | None, *, digits: int = 2, sign: bool = False) -> str:
    """A plain number with a true minus sign; one too long to read in powers of ten.

    Args:
        value: None gives a dash.
        digits: Decimals.
        sign: Whether a positive number wears its sign, as a difference does.
    """
    if value is None:
        return UNDEFINED
    form = "e" if abs(value) >= _TOO_LONG else "f"
    text = f"{value:+.{digits}{form}}"
    mark = "" if float(text) == 0 else {"+": "+" if sign else "", "-": "\N{MINUS SIGN}"}[text[0]]
    return mark + text[1:]


def percent(value: float | None, *, digits: int = 0) -> str:
    """A share in percent."""
    return UNDEFINED if value is None else f"{number(100 * value, digits=digits)}{_NARROW_SPACE}%"


def level(confidence_level: float) -> str:
    """A confidence level in percent, with as many decimals as it has."""
    return f"{100 * confidence_level:g}{_NARROW_SPACE}%"


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """How one kind of figure is written.

    Attributes:
        share: In percent.
        digits: Decimals; None: one from 10 on, else two.
    """

    share: bool = False
    digits: int | None = None

    def value(self, value: float | None) -> str:
        """A value: `44.0 %` or `5.90`."""
        return self._text(value, self._digits(value), unit=True)

    def ends(self, found: Bounded) -> str:
        """Both ends of the interval: `35.1 to 54.0`; `no interval` without."""
        if found.low is None or found.high is None:
            return NO_INTERVAL
        digits = self._digits(found.value, found.low, found.high)
        return f"{self._text(found.low, digits)} to {self._text(found.high, digits)}"

    def whole(self, found: Bounded) -> str:
        """A value and its interval: `44 % (35 to 54)`; where there is none, why."""
        if found.value is None:
            return f"undefined ({found.reason})"
        digits = self._digits(found.value, found.low, found.high)
        return f"{self._text(found.value, digits, unit=True)} ({self.ends(found)})"

    def difference(self, value: float | None) -> str:
        """A difference with its sign, of shares in points: `+4.1 points`."""
        if value is None or not self.share:
            return number(value, digits=self._digits(value), sign=True)
        return f"{number(100 * value, digits=self._digits(value), sign=True)} points"

    def _digits(self, *values: float | None) -> int:
        if self.digits is not None:
            return self.digits
        scale = 100 if self.share else 1
        largest = max((scale * abs(each) for each in values if each is not None), default=0.0)
        return 1 if largest >= 10 else 2

    def _text(self, value: float | None, digits: int, *, unit: bool = False) -> str:
        if self.share and unit:
            return percent(value, digits=digits)
        scaled = 100 * value if self.share and value is not None else value
        return number(scaled, digits=digits)


SHARE: Final = Spelling(share=True, digits=1)
"""A share in a table."""
ROUND_SHARE: Final = Spelling(share=True, digits=0)
"""A share in a sentence or a chart."""
NUMBER: Final = Spelling(digits=2)
"""A number in units of its own."""
FREE: Final = Spelling()
"""A number of any size."""


def percent_in(found: Bounded) -> str:
    """A share and its interval for a sentence: `44 % (35 to 54)`."""
    return ROUND_SHARE.whole(found)


def number_in(found: Bounded) -> str:
    """A number and its interval for a sentence: `5.90 (5.61 to 6.19)`."""
    return NUMBER.whole(found)


def p_value(p: float | None) -> str:
    """A p-value; "" where there is no test."""
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def rank(place: int | None, of: int, best: int | None, worst: int | None) -> str:
    """A rank and those that its interval allows: `10 of 12 (9 to 10)`; "" where there is none."""
    if place is None:
        return ""
    text = f"{place} of {of}"
    if best is None or worst is None:
        return text
    return f"{text} (anywhere in the interval)" if best == worst else f"{text} ({best} to {worst})"


def wrapped(text: str) -> str:
    """Lines of a terminal's width; what goes on is set in, and a number keeps its unit."""
    return "\n".join(map(_WRAP.fill, text.split("\n")))


def spaced(name: str) -> str:
    """A name that code spells with hyphens or underscores, as people write it."""
    return name.replace("_", " ").replace("-", " ")


def plain_name(name: str) -> str:
    """A group as people say it: `film artifacts` for `clarity_and_focus.film_artifacts`."""
    return name.rpartition(".")[2].replace("_", " ")


def count(n: int, one: str, many: str | None = None) -> str:
    """A number of things, with thousands apart."""
    return f"{n:,}".replace(",", _NARROW_SPACE) + " " + (one if n == 1 else many or one + "s")


def listing(items: Iterable[str], *, most: int | None = None) -> str:
    """Names in a sentence: a, b and c; with `most`, only so many of them and how many more."""
    names = list(items)
    if most is not None and len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def for_spreadsheet(text: str) -> str:
    """Text that a spreadsheet shows and does not run: what begins as a formula gets a quote before.

    Also behind spaces and marks that are not seen, and in the wide letters of other keyboards.
    """
    seen = (m for m in normalize("NFKC", text) if m.isprintable() and not m.isspace())
    return f"'{text}" if text[:1] in _BREAKS or next(seen, "") in _FORMULA else text


def latex(text: str) -> str:
    """Text for LaTeX, where no mark of it acts; quotation marks need textcomp and T1.

    Line breaks and other control characters become spaces. Marks that pdfLaTeX has no letter for
    are told there by their numbers; XeLaTeX and LuaLaTeX set them.
    """
    marks = [m if m.isprintable() or m in _LATEX else " " for m in normalize("NFC", text)]
    no_dash = re.sub("-(?=-)", f"-{_NOTHING}", "".join(marks))  # two hyphens stay two
    return _NO_LETTER.sub(_by_number, "".join(_LATEX.get(mark, mark) for mark in no_dash))


def _by_number(found: re.Match[str]) -> str:
    numbers = " ".join(f"U+{ord(mark):04X}" for mark in found[0])
    return rf"\ifdefined\Umathchar {found[0]}\else {numbers}\fi{{}}"


def _shut(row: Sequence[str]) -> list[str]:
    """A row whose first mark the command before it does not take for its option."""
    first, *others = row
    return [f"{{{first[0]}}}{first[1:]}" if first.startswith(("[", "*")) else first, *others]


def latex_table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: Sequence[bool],
    caption: str,
    label: str,
    comments: Iterable[str] = (),
) -> str:
    """A LaTeX table with booktabs, caption and label; a column that says nothing is left out.

    Args:
        head: A heading for each column, as plain text.
        rows: The texts of each row, as LaTeX; one that is empty or a dash says nothing.
        numeric: Whether a column is set to the right.
        caption: What the rows are, as plain text.
        label: What a reference calls it.
        comments: Lines for whoever reads the source.

    Raises:
        InputError: `label` is none that a reference can name.
    """
    if not _LABEL.fullmatch(label):
        msg = f"label={label!r:.100} cannot be referred to. Use letters, digits and : . / + - _."
        raise InputError(msg)
    named, *given = (_shut(row) for row in ([latex(each) for each in head], *rows))
    silent = ("", UNDEFINED, latex(UNDEFINED))
    kept = [
        place
        for place in range(len(head))
        if place == 0 or any(row[place] not in silent for row in given)
    ]
    align = "".join("r" if numeric[place] else "l" for place in kept)
    lines = [
        "% needs \\usepackage{booktabs}, \\usepackage[T1]{fontenc} and \\usepackage{textcomp}",
        *(f"% {' '.join(comment.split())}" for comment in comments),
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{latex(caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        " & ".join(named[place] for place in kept) + r" \\",
        r"\midrule",
        *(" & ".join(row[place] for place in kept) + r" \\" for row in given),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
