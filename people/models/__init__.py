"""The person, and the log-ins that their tokens descend from."""

from people.models.choices import BlockReason, Language
from people.models.token_families import TokenFamily
from people.models.users import User

__all__ = ["BlockReason", "Language", "TokenFamily", "User"]
