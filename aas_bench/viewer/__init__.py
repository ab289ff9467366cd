"""A run looked at pair by pair, on a page that is served to this machine only."""
