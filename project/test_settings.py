"""Settings of the test run: nothing comes from `.env` or from the developer's shell except
`DATABASE_URL`, so that a test never meets a real Stripe account, mail server or cache."""

import os
import re
import tempfile
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / ".env.sample"
for name in re.findall(r"^#?([A-Z][A-Z0-9_]*)=", SAMPLE.read_text(), re.MULTILINE):
    if name != "DATABASE_URL":
        os.environ.pop(name, None)
os.environ.update(
    ENV_FILE="",
    SECRET_KEY="only-for-tests-and-long-enough-for-a-signature",  # noqa: S106
    DEBUG="off",
    HTTPS="off",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    EMAIL_URL="memorymail://",
    CACHE_URL="locmemcache://",
    MEDIA_ROOT=tempfile.mkdtemp(prefix="parta-media-"),
    PRIVATE_ROOT=tempfile.mkdtemp(prefix="parta-private-"),
    FRONTEND_URL="https://school.example",
    SITE_URL="https://parta.school.example",
    LANGUAGE_CODE="en",
    TIME_ZONE="Europe/Moscow",
    THROTTLE_LOGIN="1000/min",
    THROTTLE_REGISTER="1000/min",
    THROTTLE_RESET="1000/min",
    THROTTLE_STATUS="1000/min",
    THROTTLE_COURSES="1000/min",
    THROTTLE_LESSONS="1000/min",
    THROTTLE_TEXT="1000000/min",
    THROTTLE_PICTURES="1000/min",
    THROTTLE_SUBSCRIPTIONS="1000/min",
    THROTTLE_PAYMENTS="1000/min",
    THROTTLE_PROFILE="1000/min",
    THROTTLE_EXPORTS="1000/min",
    # Tests of the second step ask for it.
    SECOND_FACTOR_ROLES="",
    # Races are of as many buyers as a test likes.
    STRIPE_CALLS="50",
    LOG_LEVEL="WARNING",
)
from project.settings import *

MIDDLEWARE = ["project.tests.documented.DocumentedAnswers", *MIDDLEWARE]
# The front that ships is served, too, and walked in a browser.
FRONTEND_URL_IS_SET = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
}
STATIC_ROOT = Path(tempfile.mkdtemp(prefix="parta-static-"))
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # In a file, as in production: a database in memory has other locks and fails under threads.
    DATABASES["default"]["TEST"] = {
        "NAME": str(Path(tempfile.mkdtemp(prefix="parta-database-")) / "test.sqlite3")
    }
