"""The one way to ask a paid service: key, pace, attempts, faults, and answers that are kept."""
