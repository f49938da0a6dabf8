"""Pages of the purchase, for buyers without the single-page application."""

from django.urls import path

from payments import pages

app_name = "payments"
urlpatterns = [
    path("success/<uuid:token>/", pages.success, name="success"),
    path("success/<uuid:token>/status", pages.status, name="status"),
    path("receipt/<uuid:token>/", pages.receipt, name="receipt"),
    path("cancelled/<uuid:token>/", pages.cancelled, name="cancelled"),
]
