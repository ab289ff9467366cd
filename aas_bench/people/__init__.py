"""A page on which people say which image does what the prompt asks."""
