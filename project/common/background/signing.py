"""Tasks that wait are signed, and stay good while the key is exchanged (docs/operations.md, Rotate keys).

Django-Q has a reader of its own, which knows no former keys; Django's reads the same form.
"""

from django.core import signing
from django_q import signing as library


def read_with_former_keys() -> None:
    """Have Django-Q read tasks that a key of SECRET_KEY_FALLBACKS signed."""
    library.signing = signing
