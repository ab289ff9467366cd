"""Language models that look at pictures and answer: which fits better, how well, what is there."""
