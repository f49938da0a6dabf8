"""The person, their invitation and export, the roles of the staff, and the log-ins that a person's
tokens descend from."""

from people.models.choices import BlockReason, Language
from people.models.exports import PersonalExport
from people.models.invitations import Invitation
from people.models.roles import Role
from people.models.token_families import TokenFamily
from people.models.users import User

__all__ = ["BlockReason", "Invitation", "Language", "PersonalExport", "Role", "TokenFamily", "User"]
