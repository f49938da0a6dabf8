"""The page that an invitation leads to: its person chooses a password of their own."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from people.errors import InvalidLink
from people.models import Invitation, User
from people.models.roles import title_of
from people.services import invitations
from project.admin_site.languages import keep_language
from project.admin_site.mail_links import (
    OwnPasswordForm,
    carried,
    forget_link,
    show,
    succeeds,
    use_link,
)
from project.common.frontend import login_page
from project.school.current import current_school


@never_cache
@sensitive_post_parameters()
def accept(request: HttpRequest) -> HttpResponse:
    form = OwnPasswordForm(request.POST or None)
    come: list[User] = []

    def set_password(uid: str, token: str) -> User:
        new = form.cleaned_data["new_password"]
        come.append(invitations.accept(uid=uid, token=token, new_password=new))
        return come[0]

    try:
        invitation = invitations.invitation_of_link(*carried(request))
        if invitation.accepted_at or invitation.is_expired:
            return _bad(request, invitation)
        if request.method == "POST" and succeeds(form, lambda: use_link(request, set_password)):
            keep_language(come[0], request.GET.get("language"))
            whose = "?staff=1" if come[0].is_staff else ""
            done = HttpResponseRedirect(reverse("admin_invitation_done") + whose)
            return forget_link(done, "admin_invitation")
    except InvalidLink:
        return _bad(request, None)
    roles = ", ".join(title_of(role) for role in invitation.roles.order_by("pk"))
    known = {"form": form, "invitation": invitation, "roles": roles}
    return show(request, "invitation", _("Welcome to %s") % current_school().name, known)


def _bad(request: HttpRequest, invitation: Invitation | None) -> HttpResponse:
    title = _("You have already joined") if invitation and invitation.accepted_at else ""
    return show(
        request,
        "invitation_bad",
        title or (_("This invitation has expired") if invitation else _("This link is not valid")),
        {
            "invitation": invitation,
            "whom": _whom_to_ask(invitation),
            "login_page": _login_page(staff=invitation is None or invitation.user.is_staff),
        },
        status=409,
    )


def _login_page(*, staff: bool) -> str:
    return reverse("admin:login") if staff else login_page()


def _whom_to_ask(invitation: Invitation | None) -> str:
    """Who sent it is told to who has it; to others, the school."""
    by = invitation.invited_by if invitation else None
    if by is not None and by.is_active:
        return f"{by} ({by.email})" if str(by) != by.email else by.email
    school = current_school()
    return _("an administrator of the school (%s)") % (school.email or school.name)


@never_cache
@require_safe
def done(request: HttpRequest) -> HttpResponse:
    staff = "staff" in request.GET
    known = {"staff": staff, "login_page": _login_page(staff=staff)}
    return show(request, "invitation_done", _("Your password is set"), known)
