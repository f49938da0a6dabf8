"""How days and times are written in English: so that nobody takes the month for the day, with 24 hours."""

DATE_FORMAT = SHORT_DATE_FORMAT = "N j, Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "N j, Y, H:i"
