"""Running models over pairs: what to do, in what order, and how it survives interruption."""
