"""Whether mail reaches a person, and what the mail server said of their address."""

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.models import User
from project.common.admin.base import StaffAdmin, display, moment_shown
from project.mail.refusals import refusals_of


class ReachFields(StaffAdmin[User]):
    """Fields of the page of a person whose address was refused."""

    @display(description=gettext_lazy("answers of the mail server"))
    def refusals(self, person: User) -> SafeString | str:
        said = refusals_of([person]).get(person.pk)
        if said is None:
            return "—"
        if said.stopped_at is None:
            lines = [
                _("If the mail server refuses this address on another day, no more email is sent.")
            ]
        else:
            since = moment_shown(said.stopped_at)
            lines = [_("No email has been sent to this address since %(date)s") % {"date": since}]
        answers = {said.first_at: said.first_words, said.last_at: said.last_words}
        lines += [f"{moment_shown(at)}: {words}" for at, words in answers.items()]
        return format_html_join("", "<div>{}</div>", ((line,) for line in lines))
