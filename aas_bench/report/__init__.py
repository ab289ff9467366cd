"""From score tables to numbers, and from numbers to pages."""
