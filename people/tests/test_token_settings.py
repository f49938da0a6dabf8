"""The JWT library reads a setting that we leave out from an environment variable of that name."""

import os
import subprocess
import sys

from django.conf import settings
from ninja_jwt.settings import NinjaJWTSettings

PROBE = """
import django; django.setup()
from ninja_jwt.settings import api_settings
from ninja_jwt.state import token_backend
print(token_backend.algorithm, token_backend.issuer, token_backend.audience, token_backend.leeway,
      api_settings.ACCESS_TOKEN_LIFETIME, token_backend.signing_key == django.conf.settings.SECRET_KEY)
"""
HOSTILE = {
    "ISSUER": "evil",
    "AUDIENCE": "evil",
    "LEEWAY": "99999",
    "ALGORITHM": "HS384",
    "SIGNING_KEY": "evil",
    "VERIFYING_KEY": "evil",
    "USER_ID_CLAIM": "evil",
    "SLIDING_TOKEN_LIFETIME": "99999",
}


def test_every_setting_of_the_library_is_set():
    assert set(settings.NINJA_JWT) == set(NinjaJWTSettings.model_fields)


def test_hostile_environment_changes_nothing():
    environment = os.environ | HOSTILE | {"DJANGO_SETTINGS_MODULE": "project.test_settings"}
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True
    )
    assert probe.stdout.split() == ["HS256", "None", "None", "0:01:00", "0:15:00", "True"]
