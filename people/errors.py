"""What can go wrong with accounts."""

from django.utils.translation import gettext_lazy as _

from project.common.errors import Conflict, Missing, Refused, Throttled, Unauthenticated


class InvalidCredentials(Unauthenticated):
    code = "invalid_credentials"
    message = _("The email or password is incorrect.")


class InvalidToken(Unauthenticated):
    code = "invalid_token"
    message = _("This token is invalid, has expired or was revoked.")


class TokenExpired(InvalidToken):
    code = "token_expired"
    message = _("This token has expired.")


class TokenReused(InvalidToken):
    code = "token_reused"
    message = _("This token was already exchanged. For safety its log-in has been ended.")


class AccountBlocked(Refused):
    """Says by whom, so that a client offers the way back only where there is one."""

    code = "account_blocked"
    message = _("This account is blocked.")

    def __init__(self, *, by_sweep: bool) -> None:
        super().__init__()
        self.members = {"reason": "inactivity" if by_sweep else "staff"}


class RegistrationClosed(Refused):
    code = "registration_closed"
    message = _("Registration is closed. Ask the school for an account.")


class EmailTaken(Conflict):
    code = "email_taken"
    message = _("An account with this email already exists.")


class InvalidLink(Conflict):
    code = "invalid_link"
    message = _("This link has already been used, has expired or is incomplete. Request a new one.")


class LastAdministrator(Conflict):
    code = "last_administrator"
    message = _("The last administrator can't be removed. Appoint another one first.")


class AdministratorExists(Conflict):
    code = "administrator_exists"
    message = _("There is an administrator already.")


class AccountErased(Conflict):
    code = "account_erased"
    message = _("This account was erased at the person's own request.")


class NotAdministrator(Conflict):
    code = "not_administrator"
    message = _("This account does not belong to an administrator.")


class NotInvited(Conflict):
    code = "not_invited"
    message = _("This person has already accepted the invitation, or it was withdrawn.")


class NotComeYet(Conflict):
    code = "not_come_yet"
    message = _(
        "They haven't accepted their invitation yet. Withdraw it and invite them again with the right role."
    )


class NoSession(Missing):
    message = _("This session has already ended.")


class WrongCode(Refused):
    code = "wrong_code"
    message = _("This code is wrong or has already been used. Enter the one your app shows now.")


class SecondFactorRequired(Refused):
    code = "second_factor_required"
    message = _(
        "Your role requires two-step verification. You can replace the device, but not turn it off."
    )


class TooManyMessages(Throttled):
    message = _("You have written as many messages as anybody may write in an hour.")
