"""The look of the admin, for Unfold. Functions are named by path, as the settings import no app."""

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def issuer(device: object) -> str:
    """Whose codes these are, in the app that shows them."""
    from project.school.current import current_school  # noqa: PLC0415

    return current_school().name


# Teal on slate, as long as the school has no colour of its own.
PALETTE = {
    "50": "oklch(98.4% .014 180.72)",
    "100": "oklch(95.3% .051 180.801)",
    "200": "oklch(91% .096 180.426)",
    "300": "oklch(85.5% .138 181.071)",
    "400": "oklch(77.7% .152 181.912)",
    "500": "oklch(70.4% .14 182.503)",
    "600": "oklch(51.1% .096 186.391)",
    "700": "oklch(47% .087 187)",
    "800": "oklch(43.7% .078 188.216)",
    "900": "oklch(38.6% .063 188.416)",
    "950": "oklch(27.7% .046 192.524)",
}

UNFOLD: dict[str, object] = {
    "SITE_TITLE": "project.admin_site.branding.name",
    "SITE_HEADER": "project.admin_site.branding.name",
    "SITE_ICON": "project.admin_site.branding.icon",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("parta/icon.svg")},
    ],
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "project.admin_site.menu.environment",
    "DASHBOARD_CALLBACK": "project.admin_site.dashboard.fill",
    "STYLES": [lambda request: static("parta/admin.css")],
    "SCRIPTS": [lambda request: static("parta/keys.js")],
    "BORDER_RADIUS": "8px",
    "LOGIN": {
        "image": lambda request: static("parta/login.svg"),
        "form": "project.admin_site.login.LoginForm",
    },
    "SITE_VIEWS": [
        (address, name, f"project.admin_site.security.{view}")
        for address, name, view in (
            ("security/", "security", "SecurityView"),
            ("security/code/", "second_factor", "CodeView"),
            ("security/set-up/", "second_factor_set_up", "SetUpView"),
            ("security/recovery-codes/", "recovery_codes", "RecoveryCodesView"),
            ("security/remove/", "second_factor_remove", "RemoveView"),
        )
    ],
    "ACCOUNT": {
        "navigation": [
            {"title": _("Log-in and security"), "link": reverse_lazy("admin:security")},
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
        ]
    },
    "COMMAND": {"show_history": False},
    "SIDEBAR": {"show_search": True, "navigation": "project.admin_site.menu.sidebar"},
    "COLORS": {
        "primary": "project.admin_site.branding.palette",
    },
}
