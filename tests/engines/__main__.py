"""`python3 -m tests.engines up|down|status|env|wipe`."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import time

from layerlab import install
from layerlab.bases import proot
from layerlab.engines.embedded.home import home
from layerlab.engines.embedded.runners.tools import own_proot
from tests.engines import configuration, foreign, gotools, packages
from tests.engines.daemons import (
    DAEMONS,
    forget_images_of_podman,
    remove_bridges,
    remove_containers,
)
from tests.engines.layout import environment

VERSIONS = {
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "buildx": ("docker", "buildx", "version"),
    "nerdctl": ("nerdctl", "--version"),
    "buildkit": ("buildkitd", "--version"),
    "podman": ("podman", "--version"),
    "buildah": ("buildah", "--version"),
    "skopeo": ("skopeo", "--version"),
}
WIPES = (
    ("docker", "system", "prune", "--all", "--force"),
    ("nerdctl", "image", "prune", "--all", "--force"),
    ("buildctl", "prune", "--all"),
)


def main() -> None:
    """Do what the one argument says."""
    commands = {"up": up, "down": down, "status": status, "env": env, "wipe": wipe}
    parser = argparse.ArgumentParser(prog="python3 -m tests.engines", description=__doc__)
    parser.add_argument("command", choices=commands)
    commands[parser.parse_args().command]()


def up() -> None:
    """Install what is missing, start what does not run, fill the registry's mirror."""
    begun = time.monotonic()
    packages.install(say)
    gotools.install(say)
    foreign.enable()
    configuration.write_all()
    for folder in configuration.folders():
        folder.mkdir(parents=True, exist_ok=True)
    # Containers are used by their programs' names: ours stand in front.
    os.environ.update(environment())
    if all(daemon.pid() is None for daemon in DAEMONS):
        remove_bridges()  # of those that were killed
    for daemon in DAEMONS:
        daemon.start()
    install.embedded(say, home(os.environ))
    # As root bubblewrap does; PRoot is for all the others, and is tested beside it.
    proot.ensure(own_proot(home(os.environ)), os.environ, say)
    status()
    say(f"up in {time.monotonic() - begun:.1f} s")


def down() -> None:
    """Stop what `up` started. What was downloaded and built stays, but podman's images."""
    os.environ.update(environment())
    if any(daemon.pid() is not None for daemon in DAEMONS):
        remove_containers()
    for daemon in reversed(DAEMONS):
        daemon.stop()
    remove_bridges()
    forget_images_of_podman()


def status() -> None:
    """A line for each daemon and each tool; fails when one does not answer."""
    os.environ.update(environment())
    for daemon in DAEMONS:
        say(f"{daemon.name}: {'answers' if daemon.answers() else 'does not answer'}")
    for name, argv in VERSIONS.items():
        say(f"{name}: {packages.run(argv).strip()}")


def env() -> None:
    """Lines for `eval`, so that the CLIs in a shell are CI's own."""
    for name, value in environment().items():
        print(f"export {name}={shlex.quote(value)}")


def wipe() -> None:
    """Forget every image and every build cache, so that the next build is cold."""
    os.environ.update(environment())
    remove_containers()
    for argv in WIPES:
        subprocess.run(argv, check=False, stdout=subprocess.DEVNULL)
    forget_images_of_podman()


def say(text: str) -> None:
    """A line for the log."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
