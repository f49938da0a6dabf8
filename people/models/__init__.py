"""The person, their invitation and export, notices of blocks, messages, the roles of the staff, sessions, and who
logged in when."""

from people.models.admin_sessions import AdminSession
from people.models.block_notices import BlockNotice
from people.models.choices import BlockReason, CourseMails, Language
from people.models.exports import PersonalExport
from people.models.invitations import Invitation
from people.models.log_ins import Door, LogIn, LogInOutcome
from people.models.messages import StaffMessage
from people.models.roles import Role
from people.models.token_families import TokenFamily
from people.models.users import User

__all__ = [
    "AdminSession",
    "BlockNotice",
    "BlockReason",
    "CourseMails",
    "Door",
    "Invitation",
    "Language",
    "LogIn",
    "LogInOutcome",
    "PersonalExport",
    "Role",
    "StaffMessage",
    "TokenFamily",
    "User",
]
