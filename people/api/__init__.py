"""The operations on accounts: registration, tokens and passwords; profiles."""

from people.api.auth import router as auth_router
from people.api.users import router as users_router

__all__ = ["auth_router", "users_router"]
