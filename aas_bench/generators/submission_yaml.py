"""Read the YAML of a stranger: plain values only, small, no aliases, no repeated keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from aas_bench.errors import SpecError

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 12


class _Refused(yaml.MarkedYAMLError):
    """YAML that is well formed and still not taken."""


class _Loader(yaml.SafeLoader):
    """The safe loader, without what makes small files large or ambiguous."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            msg = f"alias *{event.anchor} is not allowed; write the value out again"
            raise _Refused(None, None, msg, mark)
        if self.depth >= MAX_DEPTH:
            msg = f"more than {MAX_DEPTH} levels of nesting"
            raise _Refused(None, None, msg, mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                msg = "a key that is a list or a mapping is not allowed; write a name"
                raise _Refused(None, None, msg, key.start_mark)
            if key.value in seen:
                msg = f"key {str(key.value)!r} appears twice; keep one"
                raise _Refused(None, None, msg, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A number as people read it: YAML 1.1 takes 1:30 for 90 and 030 for 24."""
    written = node.value.lstrip("+-")
    if ":" in written or (written[:1] == "0" and written[1:2].isdecimal() and "." not in written):
        msg = f"{node.value} is not a plain number; write it without colons and leading zeros"
        raise _Refused(None, None, msg, node.start_mark)
    whole = node.tag.endswith("int")
    construct = loader.construct_yaml_int if whole else loader.construct_yaml_float
    return construct(node)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _number)


def read_mapping(path: Path) -> dict[str, Any]:
    """The one mapping that a submission file holds.

    Args:
        path: A regular file of at most `MAX_BYTES` bytes.

    Raises:
        SpecError: It cannot be read, is too large, is no YAML of plain values, uses an alias or
            a repeated key, or is not a mapping with text keys. One line.
    """
    if not path.is_file():
        msg = f"{path}: is not a file. Give the path of a submission, e.g. my_model.yaml."
        raise SpecError(msg)
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        msg = f"{path}: is larger than {MAX_BYTES} bytes. A submission is a few dozen lines."
        raise SpecError(msg)
    try:
        loaded = yaml.load(data, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}: " if mark else ""
        problem = " ".join(filter(None, (error.context, error.problem)))
        msg = f"{path}: {line}{problem}. Use plain YAML values."
        raise SpecError(msg) from error
    except (yaml.YAMLError, ValueError) as error:
        msg = f"{path}: {' '.join(str(error).split())[:200]}. Use plain YAML values in UTF-8."
        raise SpecError(msg) from error
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        msg = f"{path}: does not hold one mapping of field names. Start with a line 'id: my_model'."
        raise SpecError(msg)
    return loaded
