"""Whether the system ends a user's processes at logout, and what to do about it. No torch."""

import getpass
import os
import subprocess
from collections.abc import Sequence

REMEDY = (
    "this system ends your processes when you log out (KillUserProcesses), training too;"
    " 'loginctl enable-linger' lets it go on"
)


def warning() -> str | None:
    """One line to show at a detached start; None where a logout harms nothing, or nobody can tell."""
    user = _said(["loginctl", "show-user", str(os.getuid()), "--property=Linger"])
    if not user:
        return None
    config = _said(["systemd-analyze", "cat-config", "systemd/logind.conf"])
    return REMEDY if kills_at_logout(user, config, getpass.getuser()) else None


def kills_at_logout(user: str, config: str, name: str) -> bool:
    """From what `loginctl show-user` says of `user` and the text of logind.conf with its drop-ins.

    The last assignment wins; a commented one is the default the system was built with. A list of users
    excepted has root in it unless it is given.
    """
    if "linger=yes" in user.lower().split():
        return False
    said: dict[str, str] = {}
    built_in: dict[str, str] = {}
    for line in config.splitlines():
        text = line.strip()
        key, equals, value = text.lstrip("#; ").partition("=")
        if equals:
            (built_in if text[:1] in "#;" else said)[key.strip()] = value.strip()
    setting = {**built_in, **said}
    if setting.get("KillUserProcesses", "no").lower() not in ("yes", "true", "on", "1"):
        return False
    only, excepted = setting.get("KillOnlyUsers", ""), setting.get("KillExcludeUsers", "root")
    return name not in excepted.split() and (not only or name in only.split())


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=3, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""
