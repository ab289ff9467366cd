"""A program that needs atheris stands beside the tests."""

collect_ignore = ["fuzz_with_atheris.py"]
