"""The pages of long lists in the API."""

from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination

MOST = 1000


class Pages(LimitOffsetPagination):
    """``?limit=`` rows from ``?offset=`` on; a larger limit gives ``MOST`` rows."""

    max_limit = MOST
