"""Try what the kernel gives. Run by path: ``python -I probe.py USER``; no name: stay who we are.

Standard output: a line of JSON for each guard, ``[name, holds, sentence]``. Standard library only.
"""

import ctypes
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "guards"))

import kernel_guards as guards

_CLONE_NEWUSER = 0x10000000


def main() -> None:
    user = sys.argv[1]
    if user:
        tell("user id of its own", lambda: guards.become(int(user)))
    tell("no new privileges", lambda: prctl(guards.PR_SET_NO_NEW_PRIVS, 1))
    tell("user namespaces", make_user_namespace)
    tell("seccomp", load_filter)


def tell(name: str, attempt: Callable[[], object]) -> None:
    """Try a guard in a child, or here where what follows needs it, and say whether it held."""
    try:
        attempt()
        answer = (name, True, "It holds.")
    except Exception as error:
        answer = (name, False, f"The kernel refused it: {error}.")
    print(json.dumps(answer), flush=True)  # noqa: T201


def prctl(option: int, value: object) -> None:
    guards.prctl(guards.libc(), "no new privileges", option, value)


def make_user_namespace() -> None:
    pid = os.fork()
    if pid == 0:
        done = guards.libc().unshare(_CLONE_NEWUSER)
        os._exit(ctypes.get_errno() if done != 0 else 0)
    number = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if number:
        raise OSError(number, os.strerror(number))


def load_filter() -> None:
    guards.seccomp(guards.libc(), guards.assemble([(guards.GIVE, 0, 0, guards.ALLOW)]))


main()
