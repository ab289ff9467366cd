"""One file per tab: pure functions from records to what the tab shows."""
