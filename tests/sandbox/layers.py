"""Take a layer away from what the launcher is told of a run: for tests alone."""

from __future__ import annotations

from leaderboards.guards.kernel_guards import ALLOW, GIVE, REFUSE, assemble


def no_filter(config):
    config["filter"] = assemble([(GIVE, 0, 0, ALLOW)]).hex()


def share(namespace):
    """Name all namespaces but one: --unshare-all is the only word for all of them."""

    def change(config):
        at = config["arguments"].index("--unshare-all")
        others = {"user", "ipc", "pid", "net", "uts", "cgroup"} - {namespace}
        config["arguments"][at : at + 1] = [f"--unshare-{name}" for name in sorted(others)]

    return change


def open_root(config):
    at = config["arguments"].index("--remount-ro")
    del config["arguments"][at : at + 2]


def share_network(config):
    no_filter(config)
    share("net")(config)


def tell_a_secret(config):
    at = config["arguments"].index("--clearenv")
    config["arguments"][at + 1 : at + 1] = ["--setenv", "PWM_SECRET_KEY", "a secret"]


def stop_everything(config):
    config["filter"] = assemble([(GIVE, 0, 0, REFUSE | 1)]).hex()
