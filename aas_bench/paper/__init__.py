"""The paper's tables, recomputed from the authors' stored scores and set beside the print."""
