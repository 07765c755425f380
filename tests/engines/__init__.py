"""How CI gets every real engine on a bare Debian 12 machine. `python3 -m tests.engines up`.

Standard library only: it runs before anything is installed.
"""

from tests.engines.layout import ENGINES, environment

__all__ = ["ENGINES", "environment"]
