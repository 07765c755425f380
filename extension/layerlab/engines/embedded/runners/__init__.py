"""A command in a root filesystem of its own: the programs that do it, and whether they can."""
