"""What is known of each published dataset: a row in `catalog`, its words in `cards/`."""
