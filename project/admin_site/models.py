"""Figures of the dashboard as they were counted last."""

from django.db import models


class Figure(models.Model):
    """What one panel shows of large tables, as JSON has it, and how long it took to count."""

    name = models.CharField(max_length=50, primary_key=True)
    value = models.JSONField()
    counted_at = models.DateTimeField()
    seconds = models.FloatField()

    def __str__(self) -> str:
        return self.name
