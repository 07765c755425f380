"""Getting what the embedded engine stands on, for machines where no other engine works."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from layerlab.bases import proot, tools
from layerlab.bases.tools import Say
from layerlab.engines.embedded.runners.tools import Toolbox, find, own_proot
from layerlab.errors import LayerlabError


def embedded(say: Say, cache: Path) -> Toolbox:
    """Get what the embedded engine stands on, as far as that can be done without asking anybody.

    skopeo must be there or be installed; of the runners, bubblewrap is taken if it works, and
    else PRoot is built, which needs no root. fakeroot lets a RUN give files away without root.

    Args:
        say: takes a line of progress now and then.
        cache: the user's own folder for Layerlab.

    Raises:
        LayerlabError: what is missing, and the line to type.
    """
    if os.geteuid() == 0:
        tools.need(["skopeo"], say)
        with contextlib.suppress(LayerlabError):  # PRoot does as well
            tools.need(["bwrap", "fakeroot"], say)
    elif not tools.has("skopeo"):
        # All at once: whoever asks an administrator, or becomes one, does so a single time.
        missing = [name for name in ("skopeo", "bwrap", "fakeroot") if not tools.has(name)]
        compiler = () if proot.has_compiler() else proot.COMPILER
        tools.install(missing, [*tools.packages(missing), *compiler], say)
    toolbox = find(os.environ, cache)
    if any(runner.keeps_owners for runner in toolbox.runners):
        return toolbox
    try:
        proot.ensure(own_proot(cache), os.environ, say)
    except LayerlabError:
        if not toolbox.runners:
            raise
        return toolbox  # bubblewrap without root: it does, but files cannot be given away
    return find(os.environ, cache)
