"""Pair tables and score tables: their columns, their names, how they are read and written."""
