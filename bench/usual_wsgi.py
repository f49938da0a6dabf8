"""The twin for a web server: `gunicorn -c project/gunicorn.py bench.usual_wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.usual_settings"
application = get_wsgi_application()
