"""Stores: maps from keys to bytes. The protocol is in `base`, connection strings in `uri`, `open` opens one."""
