"""Named rows that point at code without importing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from aas_bench.errors import InputError, MissingExtraError, UnknownNameError


class Row(Protocol):
    """What every row of a registry has."""

    @property
    def name(self) -> str:
        """The name that users type."""


R = TypeVar("R", bound=Row)


class Registry(Mapping[str, R], Generic[R]):
    """Rows by name; an unknown name raises with the nearest ones.

    Args:
        kind: What a row is, in words, e.g. "reward model".
        rows: The rows; names must be unique.
        hint: The sentence that ends the unknown-name error: how to list or extend the rows.
    """

    def __init__(self, kind: str, rows: Iterable[R], *, hint: str) -> None:
        self.kind, self.hint = kind, hint
        self._rows: dict[str, R] = {}
        for row in rows:
            if row.name in self._rows:
                msg = f"two {kind} rows are called {row.name!r}"
                raise ValueError(msg)
            self._rows[row.name] = row

    def __getitem__(self, name: str) -> R:
        try:
            return self._rows[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._rows, hint=self.hint) from None

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def import_object(path: str, *, extra: str | None = None, feature: str | None = None) -> Any:
    """Import `module:attribute`.

    Args:
        path: Dotted module, a colon, an attribute of it.
        extra: The optional dependency set that the module needs, for the error message.
        feature: What the caller asked for, for the error message; None: the path.

    Raises:
        MissingExtraError: A package of `extra` is not installed.
        InputError: The path has the wrong form, or names no module or attribute.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        msg = f"{path!r} is not of the form module:attribute. Example: my_rewards:load."
        raise InputError(msg)
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if extra is not None and not missing.startswith("aas_bench"):
            raise MissingExtraError(f"{feature or path} (package {missing})", extra) from error
        msg = f"cannot import {module_name!r}: no module {missing!r}. Is it on PYTHONPATH?"
        raise InputError(msg) from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        msg = f"module {module_name!r} has no attribute {attribute!r}. Check the spelling."
        raise InputError(msg) from error
