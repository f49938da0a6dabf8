"""Columns that are made of other fields of their row, and kept beside them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, override

from django.db import models
from django.db.models.signals import pre_save
from django.dispatch import receiver

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = models.Field


class DerivedField(_Field):
    """Made of other fields or properties of the row, `of`, whenever one of these is saved. Stands
    before a field of Django's among the bases of a field; its model is a `DerivedModel`."""

    def __init__(self, *, of: Sequence[str] = (), **options: Any) -> None:
        self.of = of
        super().__init__(**{"blank": True, "editable": False, "db_default": "", **options})

    def derive(self, row: models.Model) -> str:
        raise NotImplementedError

    def deconstruct(self) -> Any:
        """For migrations a plain field: their models don't know what to write."""
        name, _path, args, options = super().deconstruct()
        plain = next(
            kind for kind in type(self).__mro__ if kind.__module__ == "django.db.models.fields"
        )
        return name, f"django.db.models.{plain.__name__}", args, options

    @override
    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = self.derive(model_instance)
        setattr(model_instance, self.attname, value)
        return value


class DerivedModel(models.Model):
    """A model with derived fields. `update` and `bulk_update` pass by these, as they do by all that a
    save does."""

    class Meta:
        abstract = True

    @override
    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save with the given fields also what is made of them."""
        if update_fields is not None:
            names = {*update_fields}
            fields = derived_fields(type(self))
            update_fields = names | {one.name for one in fields if names.intersection(one.of)}
        super().save(update_fields=update_fields, **options)


@receiver(pre_save)
def _fill_rows_of_fixtures(
    sender: type[models.Model], instance: models.Model, *, raw: bool, **_others: object
) -> None:
    """Django asks the fields for their value before each save but that of a fixture's row."""
    if raw and issubclass(sender, DerivedModel):
        for field in derived_fields(sender):
            field.pre_save(instance, add=False)


def derived_fields(model: type[models.Model]) -> list[DerivedField]:
    return [one for one in model._meta.concrete_fields if isinstance(one, DerivedField)]
