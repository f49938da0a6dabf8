"""What is known of a person, and what becomes of it: `registry.py` says it of each column."""
