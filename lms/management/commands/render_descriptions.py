from django.core.management.base import BaseCommand

from lms.services.rendering import render_again


class Command(BaseCommand):
    help = (
        "Renders the descriptions of courses and lessons anew: after an upgrade that says so, or "
        "after they were changed past Parta."
    )

    def handle(self, *args: object, **options: object) -> None:
        self.stdout.write(f"Rendered anew: {render_again()}.")
