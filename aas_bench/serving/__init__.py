"""A reward service for training loops: images and prompts in over HTTP, scores out."""
