"""Installing an engine where none works, as far as that can be done without asking anybody."""

from __future__ import annotations

from layerlab.bases import tools
from layerlab.bases.tools import Say
from layerlab.errors import LayerlabError


def podman(say: Say) -> bool:
    """Install podman where we are root on Debian or Ubuntu; False where that is not for us to do.

    Of all engines it is the one that needs no daemon.

    Raises:
        CommandFailedError: apt could not install it.
    """
    try:
        tools.need(["podman"], say)
    except LayerlabError as error:
        if error.code == "bases-tools" and not error.command:
            return False  # somebody else must type it; the doctor says what
        raise
    return True
