"""People and roles in the admin."""

from people.admin.roles import RoleAdmin
from people.admin.users import UserAdmin

__all__ = ["RoleAdmin", "UserAdmin"]
