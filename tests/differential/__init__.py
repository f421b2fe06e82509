"""The same random operations on coldframe and on ArcticDB: equal frames, version numbers and exceptions.

The two live in an environment of their own (ArcticDB wants pandas < 3), so the comparison is a program,
`python -m differential`, that `test_differential.py` starts there.
"""
