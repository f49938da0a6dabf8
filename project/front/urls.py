"""The addresses of the front. They come after all others: `payments/receipt/…` is no page of it."""

from django.urls import path, re_path

from project.front import views

# What addresses of the front begin with; what follows is the front's own business.
SEGMENTS = (
    "courses",
    "learn",
    # But for words: the receipt's address is in mails, and some programs drop its last slash.
    r"payments(?!/[^/]*[^/\d])",
    "subscriptions",
    "profile",
    "people",
    "login",
    "register",
    "password-reset",
    "email",
    "reactivation",
    "authoring",
)

app_name = "front"
urlpatterns = [
    path("front/texts/<str:language>/<str:version>.js", views.texts, name="texts"),
    path("", views.page),
    *(re_path(rf"^{segment}(?:/.*)?\Z", views.page) for segment in SEGMENTS),
]
