"""The site: settings, URLs, Celery, and the views that compose several apps."""

from .celery import app as celery_app

__all__ = ["celery_app"]
