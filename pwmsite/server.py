"""Settings of gunicorn, at home and in production: ``gunicorn -c pwmsite/server.py``."""

import gc
import os
from pathlib import Path
from typing import Any

wsgi_app = "pwmsite.wsgi:application"
bind = os.environ.get("PWM_BIND", "127.0.0.1:8000")
preload_app = True  # loaded once and shared, which is quicker and takes half the memory
workers = int(os.environ.get("PWM_WEB_PROCESSES", "2"))
worker_class = "pwmsite.web_worker.BufferingWorker"
threads = int(os.environ.get("PWM_WEB_THREADS", "4"))  # for pages, in each process
timeout = 60
graceful_timeout = 5
# A worker touches a file to say that it lives; on a disk that hangs, it would be taken for dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True
errorlog = "-"
loglevel = os.environ.get("PWM_LOG_LEVEL", "warning").lower()


def when_ready(server: Any) -> None:
    """Before the processes are forked: the collector would write to all that they could share."""
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Sweep here too: the jobs of the last worker that died go back while there is none."""
    from modalities.jobs.sweeper import Sweeper

    Sweeper().start()
