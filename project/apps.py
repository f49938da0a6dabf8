from django.apps import AppConfig
from django.apps import apps as installed
from django.apps.registry import Apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from project import checks as _checks  # noqa: F401 - registers them
from project.common.background.signing import read_with_former_keys


class ProjectConfig(AppConfig):
    name = "project"
    verbose_name = _("Parta")

    def ready(self) -> None:
        read_with_former_keys()
        # It loads a model, which can't be done before the applications are.
        from project.common.db.searched import create_search_tables  # noqa: PLC0415

        post_migrate.connect(create_search_tables)
        # This is Django's way to say "the tables are there",
        # and the one moment at which every deployment, test run and fresh clone agrees. The sender is
        # the app with the table: Django sends nothing for an app without models, as this one is.
        cluster = installed.get_app_config("django_q")
        post_migrate.connect(write_schedules, sender=cluster, dispatch_uid="project.schedules")


def write_schedules(*, apps: Apps | None = None, **migration: object) -> None:
    # Both modules load models, which can't be done before the applications are.
    from project.common.background.queue import synchronise_schedules  # noqa: PLC0415
    from project.common.background.schedules import SCHEDULES  # noqa: PLC0415

    synchronise_schedules(SCHEDULES, tables=apps)  # `flush` sends none
