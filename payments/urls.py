"""Pages of the purchase."""

from django.urls import path

from payments import pages

app_name = "payments"
urlpatterns = [
    path("receipt/<uuid:token>/", pages.receipt, name="receipt"),
    # Pages at Stripe that version 0.1 opened lead here for a day at most. To go with the next version.
    path("success/<uuid:token>/", pages.way_back),
    path("cancelled/<uuid:token>/", pages.way_back),
]
