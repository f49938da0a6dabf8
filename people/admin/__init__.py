"""People and groups in the admin."""

from people.admin.groups import GroupAdmin
from people.admin.users import UserAdmin

__all__ = ["GroupAdmin", "UserAdmin"]
