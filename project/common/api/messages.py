"""What was wrong with an input, field by field, in the language of the request."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from project.common.api.problems import FieldError

# Two megabytes of unknown fields must not become a hundred of answers.
ERRORS_SHOWN = 100

# Names that endpoints give to a body or to a group of query parameters; not part of the input.
ARGUMENT_NAMES = frozenset({"payload", "filters", "options", "ninja_pagination"})

# Pydantic speaks English only. Every kind of error that our schemas can raise is listed; a test
# compares the list with the schemas.
MESSAGES = {
    "missing": gettext_noop("This field is required."),
    "extra_forbidden": gettext_noop("Unknown field."),
    "string_type": gettext_noop("This must be a string."),
    "string_too_short": gettext_noop("This can't be empty."),
    "string_too_long": gettext_noop("This must be at most %(max_length)s characters long."),
    "string_pattern_mismatch": gettext_noop("This doesn't have the expected format."),
    "string_unicode": gettext_noop("This text contains characters that can't be stored."),
    "int_type": gettext_noop("This must be a whole number."),
    "int_parsing": gettext_noop("This must be a whole number."),
    "int_parsing_size": gettext_noop("This number is too large."),
    "int_from_float": gettext_noop("This must be a whole number."),
    "bool_type": gettext_noop("This must be true or false."),
    "bool_parsing": gettext_noop("This must be true or false."),
    "uuid_type": gettext_noop("This must be a UUID."),
    "uuid_parsing": gettext_noop("This must be a UUID."),
    "decimal_type": gettext_noop("This must be a decimal number."),
    "decimal_parsing": gettext_noop("This must be a decimal number."),
    "decimal_max_digits": gettext_noop("This must have at most %(max_digits)s digits."),
    "decimal_max_places": gettext_noop("This must have at most %(decimal_places)s decimal places."),
    "decimal_whole_digits": gettext_noop(
        "This must have at most %(whole_digits)s digits before the decimal point."
    ),
    "finite_number": gettext_noop("This must be a finite number."),
    "greater_than_equal": gettext_noop("This must be at least %(ge)s."),
    "greater_than": gettext_noop("This must be greater than %(gt)s."),
    "less_than_equal": gettext_noop("This must be at most %(le)s."),
    "enum": gettext_noop("This must be one of: %(expected)s."),
    "literal_error": gettext_noop("This must be one of: %(expected)s."),
    "model_attributes_type": gettext_noop("This must be an object."),
    "model_type": gettext_noop("This must be an object."),
    "list_type": gettext_noop("This must be a list."),
    "too_long": gettext_noop("This can't have more than %(max_length)s items."),
    "dict_type": gettext_noop("This must be an object."),
    "unknown_parameter": gettext_noop("Unknown query parameter."),
    "repeated_parameter": gettext_noop("This parameter was given more than once."),
    "unstorable_text": gettext_noop("This text contains characters that can't be stored."),
    "invalid_email": gettext_noop("Enter a valid email address."),
    "not_one_target": gettext_noop("Specify either a course or a lesson."),
    "file_type": gettext_noop("This must be a file."),
    "value_error": gettext_noop("This value is invalid."),
}


def from_pydantic(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Turn what Ninja reports into the `errors` of a problem document."""
    found: list[FieldError] = []
    for error in islice(errors, ERRORS_SHOWN):
        source, *path = error["loc"]
        # A parameter that is not known may have such a name.
        if path and path[0] in ARGUMENT_NAMES and (len(path) > 1 or source != "query"):
            del path[0]  # a field of the same name stays
        message = MESSAGES.get(error["type"], MESSAGES["value_error"])
        text = _(message) % error.get("ctx", {})
        found.append({"loc": [source, *path], "code": error["type"], "msg": text})
    return found


def from_django(error: DjangoValidationError, source: str = "body") -> list[FieldError]:
    """Turn what a model or a validator reports into the `errors` of a problem document."""
    fields = (
        error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    )
    return [
        {
            "loc": [source] if field == NON_FIELD_ERRORS else [source, field],
            "code": one.code or "invalid",
            "msg": " ".join(one.messages),
        }
        for field, errors in fields.items()
        for one in errors
    ]
