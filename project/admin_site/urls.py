"""Pages beside the admin's own: for who can't log in yet, without a password, or having lost it; and the
palette in the place of Unfold's."""

from django.urls import path

from project.admin_site import first_account, invitation_page, palette, password_pages
from project.admin_site.mail_links import keep_link

urlpatterns = [
    path("search/", palette.search_view),
    path("password-reset/", password_pages.ask_for_link, name="admin_password_forgotten"),
    path("password-reset/sent/", password_pages.link_sent, name="admin_password_link_sent"),
    path("password-reset/new/", password_pages.choose, name="admin_password_choose"),
    path("password-reset/done/", password_pages.done, name="admin_password_done"),
    path(
        "password-reset/<str:uid>/<str:token>/",
        keep_link,
        {"page": "admin_password_choose"},
        name="admin_password_link",
    ),
    path("invitation/", invitation_page.accept, name="admin_invitation"),
    path("invitation/done/", invitation_page.done, name="admin_invitation_done"),
    path(
        "invitation/<str:uid>/<str:token>/",
        keep_link,
        {"page": "admin_invitation"},
        name="admin_invitation_link",
    ),
    path("first-account/", first_account.make, name="admin_first_account"),
    path(
        "first-account/<str:token>/",
        keep_link,
        {"uid": "", "page": "admin_first_account"},
        name="admin_first_account_link",
    ),
]
