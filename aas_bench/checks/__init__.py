"""Is a reward model set up right? Asked before its scores are believed."""
