"""The outbox in the admin: what was asked for, what became of it, and *try again*."""

from project.mail.admin.deliveries import DeliveryAdmin
from project.mail.admin.mailings import MailingAdmin
from project.mail.admin.server import MailServerAdmin

__all__ = ["DeliveryAdmin", "MailServerAdmin", "MailingAdmin"]
