from django.apps import AppConfig
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _


class LmsConfig(AppConfig):
    name = "lms"
    verbose_name = _("Content")

    def ready(self) -> None:
        # These modules load models, which can't be done before the applications are.
        from lms.services.searching import author_saved  # noqa: PLC0415
        from people.models import User  # noqa: PLC0415

        # A person is renamed in many ways: by themselves, by staff, by an erasure, by a fixture.
        post_save.connect(author_saved, sender=User)
