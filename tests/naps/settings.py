"""The site's settings with the tests' kind of job, for worker processes that tests start."""

from pwmsite.settings import *  # noqa: F403
from pwmsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.naps"]
# Its tables are made from its models: nobody keeps rows of naps.
MIGRATION_MODULES = {"naps": None}
