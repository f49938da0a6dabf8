"""Stripe's objects. What each kind has is in `objects.json`: the fields that Stripe's description
requires, and those that we use."""

import json
import secrets
import string
from copy import deepcopy
from pathlib import Path

from payments.stripe_sandbox.forms import Json

TEMPLATES: dict[str, Json] = json.loads(Path(__file__).with_name("objects.json").read_text())
LETTERS = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """Make an id as long as Stripe's: sessions have the longest."""
    length = 58 if prefix.startswith("cs_") else 24
    return f"{prefix}_" + "".join(secrets.choice(LETTERS) for _ in range(length))


def make(kind: str, form: Json | None = None, *, now: int, **fields: object) -> Json:
    """Make an object that has the fields of a form under the same names, and these fields."""
    made = deepcopy(TEMPLATES[kind])
    made["id"] = new_id(made["id"])
    made |= {name: now for name in ("created", "updated") if name in made}
    made |= {name: value for name, value in (form or {}).items() if name in made and value}
    return made | fields
