"""What libraries registered in the admin by themselves, and what becomes of it.

Tokens and the keys of devices are nobody's to see. Background work is shown by pages of ours.
"""

from django.apps import apps
from django.contrib import admin

REPLACED = (
    "token_blacklist.OutstandingToken",
    "token_blacklist.BlacklistedToken",
    "otp_totp.TOTPDevice",
    "otp_static.StaticDevice",
    "django_q.Schedule",
    "django_q.Success",
    "django_q.Failure",
    "django_q.OrmQ",
)

for label in REPLACED:
    admin.site.unregister(apps.get_model(label))

from project.admin_site import queue, schedules  # noqa: F401
