"""A process that writes to the store dies at any moment; what is there is whole."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from layerlab.engines.embedded.store.entries import Entry
from layerlab.engines.embedded.store.layers import Member
from layerlab.engines.embedded.store.layout import StepResult, Store

KILLS = 12
WRITER = """
import sys
from pathlib import Path
from tests.engines_unit.embedded.test_store_killed import write
write(Path(sys.argv[1]), int(sys.argv[2]))
"""


def write(root: Path, number: int) -> None:
    """Add layers, results and images without end."""
    store = Store(root)
    print("ready", flush=True)
    for at in range(1_000_000):
        name = f"{number}-{at}"
        entry = Entry(name, "file", 0o644, 0, 0, size=400_000)
        layer = store.add_layer([Member(entry, name.encode()[:1] * 400_000)], epoch=0)
        store.keep(name, StepResult((layer.digest,)))
        store.tag(f"image:{number}", [store.put_json({"name": name}, "application/json")])


def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(7)
    root = tmp_path / "store"
    for number in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root), str(number)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0, 0.1))
            writer.kill()
            assert writer.wait() == -signal.SIGKILL
    store = Store(root)
    layers = 0
    for path in (root / "blobs/sha256").iterdir():
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == path.name
        if not data.startswith(b"{"):
            layers += 1
            assert len(store.index(f"sha256:{path.name}").entries) == 1
    assert layers
    for name in store.names():
        found = store.resolve(name)
        assert found is not None
        store.get_json(str(found["digest"]))
    store.prune(1 << 40)
    assert list((root / "part").iterdir()) == []
    for number in range(KILLS):
        first = store.find(f"{number}-0")
        assert first is None or store.layer(first.layers[0]).exists()
