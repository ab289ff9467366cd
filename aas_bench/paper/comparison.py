"""A published table beside what we compute, figure by figure and digit by digit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aas_bench.stats.estimate import Estimate

ABSENT: Final = "not in this table"
UNPUBLISHED: Final = "not in the paper"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One published figure beside ours.

    Attributes:
        row: Generator or reward model.
        column: Column of the paper's table.
        digits: Decimals that the paper prints.
        published: As printed; None where the paper has none.
        recomputed: What the stored scores give; None where they are not in the table.
        reason: Why there is no published or no recomputed figure.
    """

    row: str
    column: str
    digits: int
    published: float | None
    recomputed: Estimate | None
    reason: str | None = None

    @property
    def rounded(self) -> str | None:
        """The recomputed value to the printed digits, without a minus sign before zero."""
        value = None if self.recomputed is None else self.recomputed.value
        return None if value is None else _printed(value, self.digits)

    @property
    def printed(self) -> str | None:
        """The published value to its digits."""
        return None if self.published is None else _printed(self.published, self.digits)

    @property
    def agrees(self) -> bool | None:
        """Whether every printed digit is the same; None where one side is absent."""
        return None if None in (self.printed, self.rounded) else self.printed == self.rounded

    @property
    def difference(self) -> float | None:
        """Recomputed minus published."""
        if self.recomputed is None or self.recomputed.value is None or self.published is None:
            return None
        return self.recomputed.value - self.published

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "row": self.row,
            "column": self.column,
            "published": self.published,
            "recomputed": None if self.recomputed is None else self.recomputed.to_dict(),
            "rounded": self.rounded,
            "agrees": self.agrees,
            "difference": self.difference,
            "reason": self.reason,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One table of the paper."""

    name: str
    title: str
    figures: tuple[Figure, ...]

    @property
    def n_agree(self) -> int:
        """Figures that agree to the last printed digit."""
        return sum(each.agrees is True for each in self.figures)

    @property
    def n_differ(self) -> int:
        """Figures that do not."""
        return sum(each.agrees is False for each in self.figures)

    def rows(self) -> dict[str, dict[str, Figure]]:
        """Row -> column -> figure."""
        found: dict[str, dict[str, Figure]] = {}
        for each in self.figures:
            found.setdefault(each.row, {})[each.column] = each
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "title": self.title,
            "n_agree": self.n_agree,
            "n_differ": self.n_differ,
            "figures": [each.to_dict() for each in self.figures],
        }


def compare(
    paper: Mapping[str, Mapping[str, Any]],
    found: Mapping[str, Mapping[str, Estimate]],
    columns: Mapping[str, int],
) -> tuple[Figure, ...]:
    """Every figure that the paper or the table has; rows of the paper first, in its order."""
    compared = []
    for row in dict.fromkeys([*paper, *found]):
        for column, digits in columns.items():
            printed = paper.get(row, {}).get(column)
            ours = found.get(row, {}).get(column)
            if printed is None and ours is None:
                continue
            absent = ours.reason if ours is not None and ours.value is None else None
            reason = ABSENT if ours is None else (UNPUBLISHED if printed is None else absent)
            compared.append(
                Figure(
                    row=row,
                    column=column,
                    digits=digits,
                    published=printed,
                    recomputed=ours,
                    reason=reason,
                )
            )
    return tuple(compared)


def _printed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text
