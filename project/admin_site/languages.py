"""In which language the admin speaks (docs/rules.md, 14.6)."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from people.current_user import current_user
from people.models import Language, User
from people.services import accounts


@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Django's own, which keeps the choice in the browser; for who is logged in, in the profile, too."""
    if request.user.is_authenticated:
        keep_language(current_user(request), request.POST.get("language"))
    return set_language(request)


def keep_language(user: User, code: str | None) -> None:
    """What was chosen on a page before the log-in stands in its address."""
    if code in Language.values:
        accounts.update_profile(user=user, changes={"language": code})
