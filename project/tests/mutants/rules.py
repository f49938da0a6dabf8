"""Which modules hold the rules, and where they are."""

import functools
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SURVIVORS = Path(__file__).with_name("survivors.toml")

# A folder stands for all modules in it.
RULES = [
    "lms.permissions", "lms.models", "lms.services", "lms.links", "lms.validators", "lms.queries",
    "lms.history",
    "payments.permissions", "payments.models", "payments.services", "payments.queries",
    "payments.provider.stripe", "payments.provider.asking",
    "people.permissions", "people.models", "people.tokens", "people.throttles", "people.login_queue",
    "people.one_time_links", "people.validators", "people.hashers", "people.services",
    "project.mail.sending", "project.mail.batches", "project.mail.queries", "project.mail.recipients",
    "project.mail.services", "project.mail.models", "project.mail.mime", "project.mail.smtp",
    "project.mail.tasks", "project.mail.kinds",
    "project.common.db.compiled", "project.common.db.counting", "project.common.db.search",
    "project.common.images", "project.common.decoding", "project.common.versions",
    "project.common.api.pagination",
    "project.common.money", "project.common.mailboxes", "project.common.links",
    "project.common.api.messages", "project.common.api.request_body",
    "project.common.background.queue", "project.common.admin.actions", "project.common.db.bulk",
    "project.common.background.broker", "project.common.background.schedules", "project.common.background.tasks",
    "project.common.logging", "project.processes.supervisor", "project.processes.worker_guard",
    "project.admin_site.statistics", "project.admin_site.panels",
]  # fmt: skip


def file_of(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def rule_modules(names: list[str] | None = None) -> list[str]:
    """The modules of these names, those of folders one by one. Raises FileNotFoundError."""
    modules = []
    for name in names or RULES:
        named = file_of(name)
        if not named.exists():
            raise FileNotFoundError(named)
        for file in sorted(named.parent.rglob("*.py")) if named.stem == "__init__" else [named]:
            parts = file.relative_to(ROOT).with_suffix("").parts
            if not {"tests", "migrations"} & set(parts):
                modules.append(".".join(parts).removesuffix(".__init__"))
    return modules


def is_cache(one: Any) -> bool:
    """Say whether this is a cached function of ours; those of tests keep nothing of a rule."""
    # Not isinstance(): it would evaluate the lazy objects that other tests left.
    if type(one) is not functools._lru_cache_wrapper:
        return False
    parts = (one.__module__ or "").split(".")
    return parts[0] in {"lms", "payments", "people", "project"} and "tests" not in parts


def is_slow(cache: Any) -> bool:
    """Say whether filling this cache again for each test would take longer than the test."""
    return bool(cache.__name__ == "public_suffixes")


def reasons() -> dict[tuple[str, str, str, str], str]:
    """Why a mutant can't be noticed, by its key."""
    survivors = tomllib.loads(SURVIVORS.read_text())["survivors"]
    return {
        (module, function, before, after): reason
        for module, function, before, after, reason in survivors
    }
