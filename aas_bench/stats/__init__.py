"""The statistics, on numpy arrays; nothing here knows an image, a model or a file."""
