"""What each task asks of a score table: one file a task, one row each in `table.TASK_REPORTS`."""
