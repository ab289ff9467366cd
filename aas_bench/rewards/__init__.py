"""Reward models: (image, prompt) -> score, one interface for all."""
