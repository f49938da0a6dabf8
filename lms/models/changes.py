"""The history of materials."""

from typing import Any

from simple_history.models import HistoricalRecords


class ChangesOfMaterials(HistoricalRecords):  # type: ignore[misc]
    """Keeps each state that a row had, and who made it. A save of nothing but the times kept
    beside the materials is no change."""

    def post_save(self, instance: Any, created: bool, using: Any = None, **kwargs: Any) -> None:  # noqa: FBT001
        saved = kwargs.get("update_fields")
        if not created and saved is not None and set(saved).issubset(self.excluded_fields):
            return
        # Rows of a fixture are kept too: without their first state no change of them has a before.
        super().post_save(instance, created, using=using, **kwargs | {"raw": False})

    def get_history_user(self, instance: Any) -> Any:
        """Whom the service names, wherever it was called from; otherwise whose request it is."""
        return instance.changed_by or super().get_history_user(instance)
