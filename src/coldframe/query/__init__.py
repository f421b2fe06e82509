"""Queries: expressions, clauses, plans and their execution on slices of tables; knows no stores."""
