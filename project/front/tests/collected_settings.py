"""The real settings, with static files collected into a folder of the test's own, from others too."""

import os
from pathlib import Path

from project.settings import *

STATIC_ROOT = Path(os.environ["STATIC_ROOT"])
STATICFILES_DIRS = [path for path in [os.environ.get("NEXT_RELEASE")] if path]
