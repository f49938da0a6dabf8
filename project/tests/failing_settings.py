"""The real settings with two addresses that fail, for a server in a process of its own."""

from project.settings import *

ROOT_URLCONF = "project.tests.failing_urls"
# Nothing was collected for it.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
