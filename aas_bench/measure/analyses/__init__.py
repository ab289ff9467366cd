"""What single tasks ask of a score table: one file an analysis; rows of `TASKS` name them."""
