"""What libraries registered in the admin by themselves and nobody should meet there.

Tokens are nobody's to see. The lists of background work come back in the look of the admin with
the pages of payments and background work.
"""

from django.apps import apps
from django.contrib import admin

HIDDEN = (
    "token_blacklist.OutstandingToken",
    "token_blacklist.BlacklistedToken",
    "django_q.Schedule",
    "django_q.Success",
    "django_q.Failure",
    "django_q.OrmQ",
)

for label in HIDDEN:
    admin.site.unregister(apps.get_model(label))
