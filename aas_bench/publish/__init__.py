"""Dataset repositories and Spaces: built, carded, compared with the Hub and pushed."""
