"""`python -m aas_bench` is the command line."""

from aas_bench.cli import main

main()
