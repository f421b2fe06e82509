"""Ways to write values as bytes, one module each. `docs/format.md` specifies what they write."""
