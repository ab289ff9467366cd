"""What people look at: the report's page, its figures, tables, galleries and words."""
