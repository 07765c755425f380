"""An image to pull: made of noise, so that no layer is known already, and large enough to watch."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import urllib.request

LAYER = 150_000_000
"""Bytes of one layer."""
LAYERS = 2


def push(reference: str) -> None:
    """Put `library/NAME:TAG` into CI's registry, which every engine mirrors docker.io from."""
    name, _, tag = reference.partition(":")
    base = f"http://{os.environ['LAYERLAB_TEST_REGISTRY']}/v2/library/{name}"
    layers = [_layer(number) for number in range(LAYERS)]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [
            _descriptor("application/vnd.oci.image.layer.v1.tar", layer) for layer in layers
        ],
    }
    for blob in (*layers, config):
        _upload(base, blob)
    _request(
        "PUT",
        f"{base}/manifests/{tag}",
        json.dumps(manifest).encode(),
        "application/vnd.oci.image.manifest.v1+json",
    )


def _layer(number: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(f"noise-{number}")
        info.size = LAYER
        tar.addfile(info, io.BytesIO(os.urandom(LAYER)))
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _upload(base: str, data: bytes) -> None:
    place = _request("POST", f"{base}/blobs/uploads/", b"")
    separator = "&" if "?" in place else "?"
    _request("PUT", f"{place}{separator}digest={_digest(data)}", data)


def _request(method: str, url: str, data: bytes, content: str = "application/octet-stream") -> str:
    request = urllib.request.Request(url, data, {"Content-Type": content}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return str(answer.headers.get("Location", ""))
