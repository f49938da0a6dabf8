"""Settings, all from the environment; `.env.sample` names and explains every variable.

Safe by default: without a variable the value is the one for production. `DEBUG` is the one
development switch, and what it loosens is written as `not DEBUG` here.
"""

import logging
import os
import re
from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django.core.management.utils import get_random_secret_key
from django.utils.translation import gettext_lazy as _

from project.admin_site import theme
from project.common.logging import logging_config
from project.environment import (
    BASE_DIR,
    TOKEN_LIBRARY_DEFAULTS,
    cache,
    choice,
    database,
    duration,
    env,
    mailer,
    media_storage,
    names,
    number,
    private_storage,
    rate,
    read_env_file,
    switch,
)

ENV_FILE = read_env_file()

# --- Security -------------------------------------------------------------------------------

DEBUG = switch("DEBUG", default=False)
# Without a key the process makes one up for itself, so that tests and `up` start on a fresh clone;
# a system check and the web entry points refuse to work like that (project/checks.py).
SECRET_KEY = env.str("SECRET_KEY", default="") or get_random_secret_key()
SECRET_KEY_IS_SET = bool(env.str("SECRET_KEY", default=""))
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
LOCAL_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=LOCAL_HOSTS if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
# A front in development is served by a tool of its own, on a port of its choice.
CORS_ALLOWED_ORIGIN_REGEXES = [
    rf"^https?://{re.escape(host)}(:\d+)?\Z" for host in LOCAL_HOSTS if DEBUG
]
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ALLOW_HEADERS = [
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = ["etag", "retry-after", "www-authenticate", "x-request-id"]

HTTPS = switch("HTTPS", default=not DEBUG)
SECURE_SSL_REDIRECT = HTTPS
# The probes come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = number("HSTS_SECONDS", 365 * 24 * 3600) if HTTPS else 0
# Both bind hosts that are not ours to judge, for as long as browsers remember.
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and switch("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = HTTPS and switch("HSTS_PRELOAD", default=False)
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "project.error_pages.csrf_failure"
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
# Number of reverse proxies in front; 0 means that X-Forwarded-* headers are not believed.
PROXIES = number("PROXIES", 0)
if PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    USE_X_FORWARDED_HOST = True

# --- Application ----------------------------------------------------------------------------

# That the places of lessons are unique is held by PostgreSQL, at the end of a transaction. SQLite,
# which can't, has one writer at a time; there the services hold it alone.
#
# Whether HTTPS is promised for other hosts of the domain is the operator's decision (HSTS_…).
SILENCED_SYSTEM_CHECKS = ["models.W038", "security.W005", "security.W021"]

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "corsheaders",
    "ninja",
    "ninja_jwt",
    "ninja_jwt.token_blacklist",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_q",
    "simple_history",
    "project",
    "project.school",
    "project.mail",
    "project.admin_site",
    "project.front",
    "lms",
    "payments",
    "people",
]

MIDDLEWARE = [
    "project.common.logging.RequestIdMiddleware",
    "project.common.logging.AccessLogMiddleware",
    "project.common.api.problems.ProblemMiddleware",
    "project.common.csp.ContentSecurityPolicyMiddleware",
    "project.error_pages.ErrorPageMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "project.health.ProbeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.common.compression.CompressionMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "project.admin_site.first_account.FirstAccount",
    "project.admin_site.gate.AdminGate",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "project.common.api.request_body.NulMiddleware",
    "project.common.api.request_body.BodyLimitMiddleware",
    "ninja.compatibility.files.fix_request_files_middleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.csp",
                "project.school.context_processors.school",
            ],
        },
    },
]

# Fields of forms are drawn by our templates, too.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Where this application itself is reached: the unsubscribe link of a mail leads here.
SITE_URL = env.str("SITE_URL", default="http://localhost:8000").rstrip("/")
# Where people learn and buy: the front that ships, at SITE_URL, or another one, elsewhere.
FRONTEND_URL = env.str("FRONTEND_URL", default="").rstrip("/") or SITE_URL
FRONTEND_URL_IS_SET = FRONTEND_URL != SITE_URL

# --- Database and cache ---------------------------------------------------------------------

DATABASES = {"default": database("DATABASE_URL", "sqlite:///db.sqlite3")}
FIXTURE_DIRS = [BASE_DIR / "fixtures"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": cache("CACHE_URL", "locmemcache://")}

# --- People ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "people.User"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
PASSWORD_HASHERS = [
    "people.hashers.Argon2idPasswordHasher",
    # Of accounts that come from elsewhere; hashed anew at the next log-in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]
PASSWORD_RESET_TIMEOUT = int(duration("PASSWORD_RESET_TIMEOUT", "1d").total_seconds())
INVITATION_LIFETIME = duration("INVITATION_LIFETIME", "7d")

# Whose role asks for a second step at the log-in of the admin, and for how long it is not asked again.
SECOND_FACTOR_ROLES = names("SECOND_FACTOR_ROLES", "" if DEBUG else "administrators,accountants")
SECOND_FACTOR_PERIOD = duration("SECOND_FACTOR_PERIOD", "15m")
OTP_TOTP_ISSUER = theme.issuer
# A step more or less of its clock, never more.
OTP_TOTP_SYNC = False

# By how much the clocks of two hosts may differ.
CLOCK_TOLERANCE = timedelta(minutes=1)
NINJA_JWT = {
    **TOKEN_LIBRARY_DEFAULTS,
    "ACCESS_TOKEN_LIFETIME": duration("ACCESS_TOKEN_LIFETIME", "15m"),
    "REFRESH_TOKEN_LIFETIME": duration("REFRESH_TOKEN_LIFETIME", "14d"),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": True,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": SECRET_KEY,
    "VERIFYING_KEY": "",
    "AUDIENCE": None,
    "ISSUER": None,
    "JWK_URL": None,
    "LEEWAY": CLOCK_TOLERANCE,
}

THROTTLE_LOGIN = rate("THROTTLE_LOGIN", "10/min")
THROTTLE_REGISTER = rate("THROTTLE_REGISTER", "20/h")
THROTTLE_RESET = rate("THROTTLE_RESET", "5/h")
THROTTLE_STATUS = rate("THROTTLE_STATUS", "60/min")
THROTTLE_CATALOG = rate("THROTTLE_CATALOG", "60/min")
# What one person may create who is not of the staff; of texts KiB.
THROTTLE_COURSES = rate("THROTTLE_COURSES", "100/h")
THROTTLE_LESSONS = rate("THROTTLE_LESSONS", "1000/h")
THROTTLE_TEXT = rate("THROTTLE_TEXT", "50000/h")
THROTTLE_PICTURES = rate("THROTTLE_PICTURES", "300/h")
THROTTLE_SUBSCRIPTIONS = rate("THROTTLE_SUBSCRIPTIONS", "500/h")
THROTTLE_PAYMENTS = rate("THROTTLE_PAYMENTS", "60/h")
THROTTLE_PROFILE = rate("THROTTLE_PROFILE", "60/h")
THROTTLE_EXPORTS = rate("THROTTLE_EXPORTS", "5/d")

# Whether people may register by themselves; otherwise staff make their accounts.
REGISTRATION = switch("REGISTRATION", default=True)
# Whether the catalog answers anybody, without a token.
PUBLIC_CATALOG = switch("PUBLIC_CATALOG", default=False)

INACTIVITY_PERIOD = duration("INACTIVITY_PERIOD", "30d")
INACTIVITY_SWEEP_CRON = env.str("INACTIVITY_SWEEP_CRON", default="30 4 * * *")

# --- Courses and payments -------------------------------------------------------------------

# What stands on receipts, and what a buyer is told who pays in another way than online, as long as
# administrators don't say otherwise (project/school).
SCHOOL_NAME = env.str("SCHOOL_NAME", default="Parta")
SCHOOL_ADDRESS = env.str("SCHOOL_ADDRESS", default="", multiline=True)
SCHOOL_TAX_ID = env.str("SCHOOL_TAX_ID", default="")
SCHOOL_EMAIL = env.str("SCHOOL_EMAIL", default="")
PAYMENT_INSTRUCTIONS_CASH = env.str("PAYMENT_INSTRUCTIONS_CASH", default="", multiline=True)
PAYMENT_INSTRUCTIONS_TRANSFER = env.str("PAYMENT_INSTRUCTIONS_TRANSFER", default="", multiline=True)

# How long the law has the school keep the payments of people who were erased.
BOOKS_KEPT = duration("BOOKS_KEPT", "4018d")
COURSE_UPDATE_QUIET_PERIOD = duration("COURSE_UPDATE_QUIET_PERIOD", "4h")
CURRENCY = env.str("CURRENCY", default="RUB")
# Where a phone number without a code of a country is from.
COUNTRY = env.str("COUNTRY", default="RU")
STRIPE_API_KEY = env.str("STRIPE_API_KEY", default="")
# Each of them signs, as while one replaces the other. The singular is from when there was one only.
STRIPE_WEBHOOK_SECRETS = env.list("STRIPE_WEBHOOK_SECRETS", default=[]) or env.list(
    "STRIPE_WEBHOOK_SECRET", default=[]
)
STRIPE_SANDBOX_PORT = number("STRIPE_SANDBOX_PORT", 8001, minimum=1)
# Development without an account speaks to `manage.py stripe_sandbox`; a key switches to Stripe.
STRIPE_SANDBOX = DEBUG and not STRIPE_API_KEY
if STRIPE_SANDBOX:
    STRIPE_API_KEY = "sk_test_sandbox"
    STRIPE_WEBHOOK_SECRETS = STRIPE_WEBHOOK_SECRETS or ["whsec_sandbox"]
STRIPE_API_BASE = env.str(
    "STRIPE_API_BASE",
    default=f"http://127.0.0.1:{STRIPE_SANDBOX_PORT}"
    if STRIPE_SANDBOX
    else "https://api.stripe.com",
)
# What Stripe sends to who has paid: nothing (as its dashboard says), a receipt, or an invoice.
STRIPE_RECEIPTS = choice("STRIPE_RECEIPTS", "off", {"off", "email", "invoice"})
# Whether a dispute takes the access when it is `created` or only when it is `lost`.
DISPUTE_TAKES_ACCESS = choice("DISPUTE_TAKES_ACCESS", "lost", {"created", "lost"})
# Seconds to connect and to wait for an answer; the SDK would wait for eighty.
STRIPE_TIMEOUT = (3.05, 15.0)

# --- Mail -----------------------------------------------------------------------------------

MAILERS = {"default": mailer("EMAIL_URL", "outboxmail://" if DEBUG else "smtp://localhost:25")}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Parta <noreply@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# Of one sort that anybody can have sent to an address, in a day; one until it is confirmed.
MAILS_PER_ADDRESS = number("MAILS_PER_ADDRESS", 5, minimum=1)
STAFF_MESSAGES_PER_HOUR = number("STAFF_MESSAGES_PER_HOUR", 30, minimum=1)
# Modules whose kinds of mail the outbox knows (project/mail/kinds.py).
MAIL_KINDS = ["lms.mails", "lms.digest_mails", "payments.mails", "people.mails"]

# --- Files ----------------------------------------------------------------------------------

STORAGE_URL = env.str("STORAGE_URL", default="")
PRIVATE_STORAGE_URL = env.str("PRIVATE_STORAGE_URL", default="")
PRIVATE_ROOT = BASE_DIR / env.str("PRIVATE_ROOT", default="private")
STORAGES = {
    "default": media_storage(STORAGE_URL),
    # Of exports, and of tables between upload and import: nothing that serves files may serve these.
    "private": private_storage(PRIVATE_STORAGE_URL, PRIVATE_ROOT),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# What browsers and search engines ask for at the root of a site, whatever its pages say.
WHITENOISE_ROOT = BASE_DIR / "project" / "site_root"
MEDIA_URL = "/media/"
MEDIA_ROOT = BASE_DIR / env.str("MEDIA_ROOT", default="media")
FILE_UPLOAD_PERMISSIONS = 0o644
# An image may have 5 MiB; everything else in a request is text.
IMAGE_MAX_BYTES = 5 * 1024 * 1024
IMAGE_MAX_PIXELS = 25_000_000
# A photograph that is chosen in the admin, and all of a form there.
PHOTO_MAX_BYTES = 32 * 1024 * 1024
PHOTO_MAX_PIXELS = {"JPEG": 120_000_000, "PNG": 50_000_000, "WEBP": 25_000_000}
FORM_MAX_BYTES = 192 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- Language and time ----------------------------------------------------------------------

LANGUAGES = [("en", _("English")), ("ru", _("Russian"))]
LANGUAGE_CODE = choice("LANGUAGE_CODE", "en", {code for code, name in LANGUAGES})
LOCALE_PATHS = [BASE_DIR / "project" / "locale"]
USE_I18N = True
FORMAT_MODULE_PATH = "project.locale"
TIME_ZONE = choice("TIME_ZONE", "UTC", available_timezones())
USE_TZ = True

# --- Background work ------------------------------------------------------------------------

WORKERS = number("WORKERS", 2, minimum=1)
# MiB that a task may take.
WORKER_MEMORY = number("WORKER_MEMORY", 512, minimum=256)
# `retry` is counted from the moment a task leaves the database, not from its start; it must be
# more than timeout × (1 + ⌈(queue_limit + bulk) / workers⌉), or a busy worker runs tasks twice.
Q_CLUSTER: dict[str, Any] = {
    "name": "parta",
    "label": _("Background work"),
    "orm": "default",
    "broker_class": "project.common.background.broker.Broker",
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "bulk": 1,
    "poll": 0.5,
    "timeout": 60,
    "retry": 300,
    "max_attempts": 5,
    "ack_failures": False,
    "save_limit": 100,
    "catch_up": False,
    "recycle": 500,
    # KiB; a worker that has grown is replaced between two tasks, well before it meets its limit.
    "max_rss": WORKER_MEMORY * 1024 // 2,
}

# --- Web server -----------------------------------------------------------------------------

# Read by project/gunicorn.py. A request mostly waits: for the database, or for a password hash.
WEB_PROCESSES = number("WEB_PROCESSES", os.cpu_count() or 1, minimum=1)
WEB_THREADS = number("WEB_THREADS", 8, minimum=1)
# Calls to Stripe at once in each process: the other threads serve who buys nothing.
STRIPE_CALLS = number("STRIPE_CALLS", max(1, WEB_THREADS // 2), minimum=1)

# --- Logging --------------------------------------------------------------------------------

LOG_LEVEL = choice("LOG_LEVEL", "INFO", set(logging.getLevelNamesMapping()))
LOGGING = logging_config(LOG_LEVEL, as_json=not DEBUG)

UNFOLD = theme.UNFOLD | {"SITE_URL": FRONTEND_URL}
