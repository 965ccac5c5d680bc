"""What is folded: each file turns one record into rows of its own table; `fold.py` is their table of contents."""
