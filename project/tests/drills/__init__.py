"""Unlucky days, tried on real processes: `python -m project.tests.drills NAME`.

Each drill prints what it measured. docs/operations.md keeps the figures.
"""
