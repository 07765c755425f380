"""Enter a root file system as real root, become a user, and run a command there.

Run as a script inside bubblewrap's namespaces (standard library only, so that it starts in a few
milliseconds). chroot(1) could not enter a working directory, and the image may have no shell to
do that.
"""

from __future__ import annotations

import os
import sys
import warnings  # noqa: F401 - os.execvpe wants it, and in the new root it is not found


def main(root: str, cwd: str, user: str, rest: list[str]) -> None:
    """Run a command; never returns.

    Args:
        root: the root file system.
        cwd: absolute, inside it.
        user: `uid:gid:group,group`.
        rest: `NAME=value` for its environment, `--`, the command.
    """
    uid, gid, groups = user.split(":")
    end = rest.index("--")
    env = dict(pair.split("=", 1) for pair in rest[:end])
    command = rest[end + 1 :]
    os.chroot(root)
    os.chdir(cwd)
    os.setgroups([int(group) for group in groups.split(",") if group])
    os.setgid(int(gid))
    os.setuid(int(uid))
    try:
        os.execvpe(command[0], command, env)  # noqa: S606 - no shell is wanted
    except OSError as error:
        # What a shell says and how it exits, POSIX.1-2017 section 2.8.2.
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
