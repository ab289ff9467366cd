"""Where scores become numbers, and the only room that does so."""
