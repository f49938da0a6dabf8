from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AdminSiteConfig(AppConfig):
    name = "project.admin_site"
    label = "admin_site"
    verbose_name = _("Dashboard")

    def ready(self) -> None:
        # Its receivers write down who logs in.
        from project.admin_site import gate  # noqa: F401, PLC0415
