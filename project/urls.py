"""Every address of the application."""

from django.contrib import admin
from django.urls import include, path

from project.api import api

urlpatterns = [
    path("api/v1/", api.urls),
    path("payments/", include("payments.urls")),
    path("admin/", admin.site.urls),
]
