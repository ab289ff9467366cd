"""The command line as a program, also `python -m aas_bench`."""

from __future__ import annotations


def main() -> None:
    """Run it; Ctrl-C while it is still being imported or built is no traceback either."""
    try:
        from aas_bench.cli import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
