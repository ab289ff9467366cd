"""What is odd about pairs, scores and a reward model, looked for before a run."""
