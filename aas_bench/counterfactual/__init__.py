"""Photographs, and effects of a known dose applied to them: pairs whose right answer is known."""
