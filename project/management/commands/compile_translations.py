"""`manage.py compile_translations`: as Django's `compilemessages`, without GNU gettext."""

from django.core.management.base import BaseCommand

from project.translations import compile_catalogues


class Command(BaseCommand):
    help = "Compiles translation files that are missing or older than their source."
    requires_system_checks = []

    def handle(self, *, verbosity: int, **options: object) -> None:
        for path in compile_catalogues():
            if verbosity > 0:
                self.stdout.write(f"compiled {path}")
