"""The rows of a list. What the cells of a column have in common is found out once for the page, where
Unfold does so for each; a label is drawn once for its colour.
"""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from typing import Any

from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import BooleanField, DateField, Model
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.templatetags.unfold_list import TABLE_ACTION_CELL_CLASSES, TABLE_CELL_CLASSES
from unfold.utils import display_for_field, display_for_value


def rows_of(changelist: ChangeList) -> Iterator[list[SafeString]]:
    """The cells of each row."""
    columns = [Column(changelist, name) for name in changelist.list_display]
    query = f"?{changelist.preserved_filters}" if changelist.preserved_filters else ""
    for row in changelist.result_list:
        url = changelist.url_for_result(row) + query
        yield [column.cell(row, url) for column in columns]


class Column:
    def __init__(self, changelist: ChangeList, name: Any) -> None:
        self.name, self.admin = name, changelist.model_admin
        _title, attr = label_for_field(name, changelist.model, self.admin, return_attr=True)
        self.empty = getattr(attr, "empty_value_display", self.admin.get_empty_value_display())
        self.is_boolean = getattr(attr, "boolean", False)
        self.colours = getattr(attr, "label", None)
        self.field = changelist.lookup_opts.get_field(name) if attr is None else None
        is_flag = self.is_boolean or isinstance(self.field, BooleanField)
        if is_flag or getattr(self.field, "flatchoices", None):
            self.text = cache(self.text)  # type: ignore[method-assign]

        classes = [f"field-{getattr(name, '__name__', name)}", *TABLE_CELL_CLASSES]
        if name == "action_checkbox":
            classes = TABLE_ACTION_CELL_CLASSES
        elif isinstance(self.field, DateField):
            classes.append("whitespace-nowrap")
        elif getattr(attr, "formatting", None) == "price":
            classes.append("!text-end")
        links = list(changelist.list_display_links or ())
        self.is_link = name in links
        self.frame = f'<td class="{" ".join(classes)}">{{}}</td>'
        if self.is_link:
            self.frame = self.frame.replace("{}", '<a href="{}" class="text-important">{}</a>')
        if name in links[:1]:
            self.frame = self.frame.replace("<td", '<th scope="row"').replace("/td", "/th")

    def cell(self, row: Model, url: str) -> SafeString:
        try:
            _field, _attr, value = lookup_field(self.name, row, self.admin)
        except ObjectDoesNotExist:
            text = self.empty
        else:
            text = self.text(value)
        return format_html(self.frame, *((url, text) if self.is_link else (text,)))

    def text(self, value: Any) -> Any:
        if self.colours:
            key, text = value if isinstance(value, tuple) else (value, value)
            text = _short(text) if isinstance(text, date) else text
            return format_html(_label(self.colours.get(key)), text) if text else self.empty
        if isinstance(value, date):
            return _short(value)
        if self.field:
            return display_for_field(value, self.field, self.empty)
        return display_for_value(value, self.empty, self.is_boolean)


def _short(value: date) -> str:
    """A day or a time: pages of a row have room for longer ones."""
    if isinstance(value, datetime):
        return date_format(localtime(value), "SHORT_DATETIME_FORMAT")
    return date_format(value, "SHORT_DATE_FORMAT")


@cache
def _label(colour: str | None) -> str:
    """With a place for the text."""
    return render_to_string("unfold/helpers/label.html", {"type": colour, "text": "{}"})
