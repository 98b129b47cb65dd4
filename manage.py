#!/usr/bin/env python3
"""Run Django's commands for PWM."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pwmsite.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from modalities import disk

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as mistake:
        sys.exit(f"manage.py: {mistake}")
    except Exception as error:
        if not disk.is_full(error):
            raise
        sys.exit(f"manage.py: The disk is full; free some space and run this again. ({error})")


if __name__ == "__main__":
    main()
