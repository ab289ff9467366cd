"""The doors that are pure Python, led by what each input reaches: needs atheris.

    pip install atheris
    PYTHONPATH=.:tests python tests/faults/fuzz_with_atheris.py payload -runs=20000 -max_len=2000

The first word is a door of `support/doors.py`; the rest goes to libFuzzer. What breaks a door is
written to a file `crash-...` in the current folder; put it into `found/<door>/`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["aas_bench"]):
    from support.doors import DOORS, goes_in


def main() -> None:
    """Begin with the door's own seeds."""
    name = sys.argv.pop(1)
    door = DOORS[name]
    with tempfile.TemporaryDirectory(prefix="corpus-") as corpus:
        with atheris.instrument_imports(include=["aas_bench"]):
            for number, seed in enumerate(door.seeds()):
                (Path(corpus) / str(number)).write_bytes(seed)
                goes_in(door, seed)
        atheris.Setup([*sys.argv, corpus], lambda content: goes_in(door, content) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
