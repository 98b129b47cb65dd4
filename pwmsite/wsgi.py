"""The web server's way in."""

import os

import django
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pwmsite.settings")
django.setup()

from pwmsite import static_files  # noqa: E402 - needs the settings

static_files.collect()  # before WhiteNoise looks which files there are
application = get_wsgi_application()
