"""The version of this package, and nothing else, so that any room may read it."""

__version__ = "0.1.0"
