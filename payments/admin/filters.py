"""Filters of the payments book."""

from django.utils.translation import gettext_lazy as _

from project.common.choosing import SubsetFilter


class AttentionFilter(SubsetFilter):
    title = _("attention")
    parameter_name = "attention"
    subsets = {
        "confirm": ("to_confirm", _("to confirm")),
        "stuck": ("open_too_long", _("stuck: open for too long")),
    }
