"""`manage.py update_translations`: as Django's `makemessages`, without GNU gettext."""

from django.core.management.base import BaseCommand

from project.translations import update_catalogues


class Command(BaseCommand):
    help = "Adds new texts to the translation files and removes those that are no longer used."
    requires_system_checks = []

    def handle(self, *args: object, **options: object) -> None:
        for path in update_catalogues():
            self.stdout.write(f"updated {path}")
