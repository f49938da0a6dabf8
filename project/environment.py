"""Reading the environment and `.env` for `settings.py`: a value that makes no sense is refused with
one sentence that names the variable."""

import re
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


class Env(environ.Env):  # type: ignore[misc]
    """Knows a mailer of ours, which keeps mails for the page /outbox/."""

    EMAIL_SCHEMES = environ.Env.EMAIL_SCHEMES | {"outboxmail": "project.mail.outbox.EmailBackend"}


env = Env()

# Seconds.
REDIS_TIMEOUT = 0.3

type Entry = dict[str, Any]

# What we leave as the JWT library has it. Every key is set: the library reads a key that is missing
# from an environment variable of the same name (ISSUER, LEEWAY, ALGORITHM, …), whoever set it and for
# whatever purpose.
TOKEN_LIBRARY_DEFAULTS: Entry = {
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "user_id",
    "USER_AUTHENTICATION_RULE": "ninja_jwt.authentication.default_user_authentication_rule",
    "TOKEN_USER_CLASS": "ninja_jwt.models.TokenUser",
    "AUTH_TOKEN_CLASSES": ["ninja_jwt.tokens.AccessToken"],
    "JSON_ENCODER": None,
    "TOKEN_TYPE_CLAIM": "token_type",
    "JTI_CLAIM": "jti",
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM": "refresh_exp",
    "SLIDING_TOKEN_LIFETIME": timedelta(minutes=5),
    "SLIDING_TOKEN_REFRESH_LIFETIME": timedelta(days=1),
    "TOKEN_OBTAIN_PAIR_INPUT_SCHEMA": "ninja_jwt.schema.TokenObtainPairInputSchema",
    "TOKEN_OBTAIN_PAIR_REFRESH_INPUT_SCHEMA": "ninja_jwt.schema.TokenRefreshInputSchema",
    "TOKEN_OBTAIN_SLIDING_INPUT_SCHEMA": "ninja_jwt.schema.TokenObtainSlidingInputSchema",
    "TOKEN_OBTAIN_SLIDING_REFRESH_INPUT_SCHEMA": "ninja_jwt.schema.TokenRefreshSlidingInputSchema",
    "TOKEN_BLACKLIST_INPUT_SCHEMA": "ninja_jwt.schema.TokenBlacklistInputSchema",
    "TOKEN_VERIFY_INPUT_SCHEMA": "ninja_jwt.schema.TokenVerifyInputSchema",
}


def read_env_file() -> Path | None:
    """Read `.env`, or the file that ENV_FILE names, where there is one; the environment wins over
    it. With ENV_FILE= (empty) no file is read, and None is returned."""
    name: str = env.str("ENV_FILE", default=".env")
    if not name:
        return None
    environ.Env.read_env(str(BASE_DIR / name), overwrite=False)
    return BASE_DIR / name


def switch(name: str, *, default: bool) -> bool:
    """Read `on` or `off`; a word that is neither is refused, not taken for `off`."""
    text = env.str(name, default="").strip().lower()
    if text not in {"", "on", "off", "true", "false", "yes", "no", "1", "0"}:
        raise ImproperlyConfigured(f"{name} must be on or off, not {text!r}")
    return text in {"on", "true", "yes", "1"} if text else default


def number(name: str, default: int, minimum: int = 0) -> int:
    """Read a whole number."""
    text = env.str(name, default=str(default)).strip()
    if re.fullmatch(r"\d{1,9}", text) is None or int(text) < minimum:
        raise ImproperlyConfigured(
            f"{name} must be a whole number of at least {minimum}, not {text!r}"
        )
    return int(text)


def choice(name: str, default: str, known: set[str]) -> str:
    """Read one of several known words."""
    text: str = env.str(name, default=default)
    if text not in known:
        raise ImproperlyConfigured(f"{name}={text!r} is not a known value")
    return text


def address(name: str, read: Callable[..., Entry], default: str) -> Entry:
    """Read a URL into a dict. The error doesn't quote it: there may be a password in it."""
    try:
        with warnings.catch_warnings(action="error"):  # a warning would quote it, too
            entry = read(name, default=default)
    except (ImproperlyConfigured, KeyError, ValueError, UserWarning):
        entry = {}
    if not any(entry.get(key) for key in ("ENGINE", "BACKEND", "EMAIL_BACKEND")):
        raise ImproperlyConfigured(f"{name} is not a URL of a known kind; see .env.sample")
    return entry


def cache(name: str, default: str) -> Entry:
    """Read the URL of a cache."""
    entry = address(name, env.cache_url, default)
    options = entry.setdefault("OPTIONS", {})
    if "redis" in entry["BACKEND"]:
        # It answers within a millisecond or not at all: whoever waits holds a thread.
        options.setdefault("socket_connect_timeout", REDIS_TIMEOUT)
        options.setdefault("socket_timeout", REDIS_TIMEOUT)
        options.setdefault("pool_class", "project.common.redis_pool.RedisPool")
    elif "locmem" in entry["BACKEND"]:
        # With Django's 300, somebody with many addresses would push the counts of throttles out.
        options.setdefault("MAX_ENTRIES", 100_000)
    else:
        # Others count two calls at once as one, or fail in a way of their own.
        raise ImproperlyConfigured(f"{name} must start with redis:// or locmemcache://")
    return entry


def duration(name: str, default: str) -> timedelta:
    """Read a span of time written as `4h`, `30d`, `15m` or `90s`."""
    text = env.str(name, default=default)
    match = re.fullmatch(r"([1-9]\d{0,8})([smhdw])", text.strip())
    if match is None:
        raise ImproperlyConfigured(f"{name} must look like 4h (s, m, h, d, w), not {text!r}")
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    return timedelta(**{units[match[2]]: int(match[1])})


def names(name: str, default: str) -> list[str]:
    """Read names that commas separate; there may be spaces in them."""
    text: str = env.str(name, default=default)
    return [one.strip() for one in text.split(",") if one.strip()]


def rate(name: str, default: str) -> str:
    """Read a rate written as `10/min` (s, min, h, d)."""
    text: str = env.str(name, default=default).strip()
    if re.fullmatch(r"[1-9]\d{0,8}/(s|sec|m|min|h|hour|d|day)", text) is None:
        raise ImproperlyConfigured(f"{name} must look like 10/min (s, min, h, d), not {text!r}")
    return text


def database(name: str, default: str) -> Entry:
    """Turn a URL into an entry of DATABASES."""
    entry = address(name, env.db_url, default)
    # To open SQLite's file and to give it Django's functions takes longer than most requests.
    entry.setdefault("CONN_MAX_AGE", 600)
    options = entry.setdefault("OPTIONS", {})
    if entry["ENGINE"] == "django.db.backends.sqlite3":
        # One file, whatever folder a command is started from.
        if entry["NAME"] != ":memory:":
            entry["NAME"] = BASE_DIR / entry["NAME"]
        # Writers wait for each other instead of failing, and readers wait for nobody.
        entry["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
        }
    elif entry["ENGINE"] == "django.db.backends.postgresql":
        entry.setdefault("CONN_HEALTH_CHECKS", True)
        # A server that is gone is a 503 within seconds, not a request that hangs for minutes.
        options.setdefault("connect_timeout", 5)
        # The queries of `project/common/db/compiled.py` are prepared by the server at their fifth
        # run.
        behind_pooler = switch("DATABASE_BEHIND_POOLER", default=False)
        options["prepare_threshold"] = None if behind_pooler else 5
        entry["DISABLE_SERVER_SIDE_CURSORS"] = behind_pooler
    else:
        raise ImproperlyConfigured(f"{name} must start with sqlite:// or postgres://")
    return entry


def mailer(name: str, default: str) -> Entry:
    """Turn a URL as `smtp+tls://user:password@host:587` into an entry of MAILERS."""
    url = address(name, env.email_url, default)
    entry: Entry = {"BACKEND": url["EMAIL_BACKEND"]}
    if "smtp" in entry["BACKEND"]:
        entry["OPTIONS"] = {
            "host": url["EMAIL_HOST"] or "localhost",
            "port": url["EMAIL_PORT"] or 25,
            "username": url["EMAIL_HOST_USER"] or "",
            "password": url["EMAIL_HOST_PASSWORD"] or "",
            "use_tls": url.get("EMAIL_USE_TLS", False),
            "use_ssl": url.get("EMAIL_USE_SSL", False),
            "timeout": 15,
        }
    elif "filebased" in entry["BACKEND"]:
        entry["OPTIONS"] = {"file_path": "/" + url["EMAIL_FILE_PATH"].lstrip("/")}
    return entry


def media_storage(url: str, *, name: str = "STORAGE_URL") -> Entry:
    """Turn `s3://key:secret@host/bucket?region=…` into a storage; empty means MEDIA_ROOT."""
    if not url:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must look like s3://key:secret@host/bucket?region=name")
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "access_key": unquote(parts.username or "") or None,
            "secret_key": unquote(parts.password or "") or None,
            "bucket_name": parts.path.strip("/"),
            "endpoint_url": f"{query.get('scheme', 'https')}://{host}" if host else None,
            "region_name": query.get("region"),
            "file_overwrite": False,
            # Names never repeat.
            "object_parameters": {"CacheControl": "public, max-age=31536000, immutable"},
            "querystring_auth": query.get("signed", "false") == "true",
        },
    }


def private_storage(url: str, folder: Path) -> Entry:
    """As `media_storage`, for files that only the application reads; empty means the folder."""
    entry = media_storage(url, name="PRIVATE_STORAGE_URL")
    if url:
        entry["OPTIONS"] |= {
            "file_overwrite": True,
            "object_parameters": {"CacheControl": "no-store"},
            "querystring_auth": True,
        }
        return entry
    modes = {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
    return entry | {"OPTIONS": {"location": folder, "allow_overwrite": True, **modes}}
