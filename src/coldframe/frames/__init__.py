"""Users' objects as tables and back: one file per kind of object."""
