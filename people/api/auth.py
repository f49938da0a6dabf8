from django.http import HttpRequest
from django.utils.translation import get_language
from ninja import Router, Status

from people import throttles, tokens
from people.clients import client_of
from people.current_user import AuthenticatedRequest
from people.errors import (
    AccountBlocked,
    EmailTaken,
    InvalidCredentials,
    InvalidLink,
    InvalidToken,
    RegistrationClosed,
    TokenExpired,
    TokenReused,
)
from people.models import Language, User
from people.schemas import (
    AccountBlockedProblem,
    CredentialsIn,
    EmailConfirmationIn,
    EmailIn,
    PasswordChangeIn,
    PasswordResetIn,
    ProfileOut,
    ReactivationIn,
    RefreshIn,
    RegistrationIn,
    TokenIn,
    TokenPairOut,
)
from people.services import accounts, blocks, emails, passwords, sessions
from people.tokens import TokenPair
from project.common.api.openapi import raises
from project.common.errors import Throttled

router = Router()


@router.post(
    "/register",
    auth=None,
    response={201: ProfileOut},
    summary="Register",
)
@raises(EmailTaken, RegistrationClosed, Throttled)
def register(request: HttpRequest, payload: RegistrationIn) -> Status[User]:
    """Creates an account that can log in right away, and sends a mail with a link to `/email/{uid}/{token}`
    of the front end, which confirms the email. A weak password gives 422, an email that is
    already taken, however it is spelled, 409 `email_taken`. Where only staff make accounts: 403
    `registration_closed`."""
    throttles.limit_registration(request, email=payload.email)
    profile = payload.model_dump(exclude={"email", "password"})
    profile["language"] = payload.language or Language.of_code(get_language())
    user = accounts.register(email=payload.email, password=payload.password, profile=profile)
    return Status(201, user)


@router.post(
    "/token",
    auth=None,
    response={200: TokenPairOut, 403: AccountBlockedProblem},
    summary="Log in",
)
@raises(InvalidCredentials, AccountBlocked, Throttled)
def obtain_token(request: HttpRequest, payload: CredentialsIn) -> TokenPair:
    """A wrong email or password gives 401 `invalid_credentials`, the right password of a blocked
    account 403 `account_blocked`, whose `reason` says whether there is a way back. How the email is spelled does not matter. While too many
    people log in at once, the answer is 429: try again after a second."""
    with throttles.login_attempt(request, email=payload.email):
        return sessions.log_in(
            email=payload.email, password=payload.password, client=client_of(request)
        )


@router.post(
    "/token/refresh",
    auth=None,
    response=TokenPairOut,
    summary="Exchange a refresh token",
)
@raises(InvalidToken, TokenExpired, TokenReused)
def refresh_token(request: HttpRequest, payload: RefreshIn) -> TokenPair:
    """Returns new tokens; the old refresh token is no longer accepted. For 30 seconds it still gives
    the same new refresh token: tabs of a browser may exchange one token at once, and an answer that
    was lost can be asked for again. After that, and even when its time is over, it is a sign of theft:
    401 `token_reused`, and every token that descends from this log-in ends, access tokens too. A
    token that was not exchanged until its time was over gives 401 `token_expired`; anything else, a
    blocked or erased account too, 401 `invalid_token`."""
    return sessions.refresh(token=payload.refresh)


@router.post("/token/verify", auth=None, response={204: None}, summary="Check a token")
@raises(InvalidToken, TokenExpired)
def verify_token(request: HttpRequest, payload: TokenIn) -> Status[None]:
    """Answers 204 if this access or refresh token, and its account, would be accepted now."""
    tokens.verify(payload.token)
    return Status(204, None)


@router.post("/logout", auth=None, response={204: None}, summary="Log out")
def logout(request: HttpRequest, payload: RefreshIn) -> Status[None]:
    """Ends every token that descends from the same log-in as this one, access tokens too. The answer is
    204 whatever the token is, the second time, too."""
    sessions.log_out(token=payload.refresh)
    return Status(204, None)


@router.post("/logout/everywhere", response={204: None}, summary="Log out on all devices")
def logout_everywhere(request: AuthenticatedRequest) -> Status[None]:
    """Ends all tokens of the caller at once, access tokens too."""
    sessions.log_out_everywhere(user=request.user)
    return Status(204, None)


@router.post(
    "/password/change",
    response={200: TokenPairOut},
    summary="Change your password",
)
@raises(Throttled)
def change_password(request: AuthenticatedRequest, payload: PasswordChangeIn) -> TokenPair:
    """Ends all tokens of the caller and returns new ones. A wrong old password or a weak new one
    gives 422."""
    user = request.user
    throttles.limit_password_change(user)
    return passwords.change_password(
        user=user,
        old_password=payload.old_password,
        new_password=payload.new_password,
        client=client_of(request),
    )


@router.post(
    "/password/reset",
    auth=None,
    response={202: None},
    summary="Request a link to set a new password",
)
@raises(Throttled)
def request_password_reset(request: HttpRequest, payload: EmailIn) -> Status[None]:
    """Sends a mail with a link to `/password-reset/{uid}/{token}` of the front end, for staff to a
    page of the admin, if there is such an account; the answer is the same either way."""
    throttles.limit_mail_request(request, email=payload.email)
    passwords.request_password_reset(email=payload.email)
    return Status(202, None)


@router.post(
    "/password/reset/confirm",
    auth=None,
    response={204: None},
    summary="Set a new password with a link",
)
@raises(InvalidLink, Throttled)
def confirm_password_reset(request: HttpRequest, payload: PasswordResetIn) -> Status[None]:
    """Works once, revokes all tokens of the account, and confirms its email. A link that was used, has expired or is
    damaged gives 409 `invalid_link`. A weak password gives 422, and the link remains valid. A
    blocked account stays blocked."""
    throttles.limit_link(request, uid=payload.uid, token=payload.token)
    user = passwords.confirm_password_reset(
        uid=payload.uid, token=payload.token, new_password=payload.new_password
    )
    throttles.remember_address(request, email=user.email)
    return Status(204, None)


@router.post(
    "/email/confirmation",
    response={202: None},
    summary="Request another link to confirm your email",
)
@raises(Throttled)
def request_email_confirmation(request: AuthenticatedRequest) -> Status[None]:
    """Sends a mail with a link to `/email/{uid}/{token}` of the front end, as registration does; nothing
    if the email is confirmed. An email that nobody has confirmed gets one such link in a day: 429 with
    `Retry-After`."""
    throttles.limit_confirmation(request, request.user)
    emails.request_confirmation(user=request.user)
    return Status(202, None)


@router.post(
    "/email/confirm",
    auth=None,
    response={204: None},
    summary="Confirm an email with a link",
)
@raises(EmailTaken, InvalidLink, Throttled)
def confirm_email(request: HttpRequest, payload: EmailConfirmationIn) -> Status[None]:
    """The email of the account is confirmed; with a link of `users/me/email` it is another one from now
    on. Works once. A link that was used, has expired or is damaged gives 409 `invalid_link`, an email
    that somebody else has taken meanwhile 409 `email_taken`. Confirming an email lifts a block for
    inactivity if it was never confirmed before."""
    throttles.limit_link(request, uid=payload.uid, token=payload.token)
    emails.confirm_email(uid=payload.uid, token=payload.token)
    return Status(204, None)


@router.post(
    "/reactivation",
    auth=None,
    response={202: None},
    summary="Request a link to lift a block for inactivity",
)
@raises(Throttled)
def request_reactivation(request: HttpRequest, payload: EmailIn) -> Status[None]:
    """Sends a mail with a link to `/reactivation/{uid}/{token}` of the front end if the account was
    blocked for inactivity; the answer is the same either way."""
    throttles.limit_mail_request(request, email=payload.email)
    blocks.request_reactivation(email=payload.email)
    return Status(202, None)


@router.post(
    "/reactivation/confirm",
    auth=None,
    response={204: None},
    summary="Lift a block for inactivity with a link",
)
@raises(InvalidLink, Throttled)
def confirm_reactivation(request: HttpRequest, payload: ReactivationIn) -> Status[None]:
    """The account is active again; log in as usual. A link that was used, has expired or is
    damaged, or a block by staff, gives 409 `invalid_link`."""
    throttles.limit_link(request, uid=payload.uid, token=payload.token)
    blocks.confirm_reactivation(uid=payload.uid, token=payload.token)
    return Status(204, None)
