"""Image generators: submissions as data, and the backends that run them."""
