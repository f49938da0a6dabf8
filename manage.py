#!/usr/bin/env python
"""Command line of the project: `uv run manage.py help` lists the commands."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        _ = settings.INSTALLED_APPS  # reads the settings, so that a bad one is a line, not a trace
    except ImproperlyConfigured as error:
        sys.exit(f"Invalid setting: {error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
