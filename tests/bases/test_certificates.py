import base64
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from layerlab.bases import certificates


def pem(data: bytes, kind: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(data).decode()}-----END {kind}-----\n"


USUAL, OURS, OTHER = pem(b"usual" * 20), pem(b"ours" * 20), pem(b"other" * 20)


def normal(text: str) -> str:
    return next(certificates.split(text))


def machine(root: Path, *, usual: str) -> Path:
    for name, text in {
        "usr/share/ca-certificates/mozilla/usual.crt": usual,
        "etc/ssl/certs/ca-certificates.crt": USUAL + OURS,
        "named.pem": OTHER + pem(b"secret" * 20, "PRIVATE KEY"),
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_only_what_was_added_to_the_machine_is_found(tmp_path: Path) -> None:
    root = machine(tmp_path, usual=USUAL)
    env = {"SSL_CERT_FILE": str(root / "named.pem"), "PIP_CERT": str(root / "missing.pem")}
    assert set(certificates.added(env, root)) == {normal(OURS), normal(OTHER)}


def test_without_a_list_of_the_usual_only_what_is_named_counts(tmp_path: Path) -> None:
    root = machine(tmp_path, usual="")
    assert certificates.added({}, root) == ()
    assert certificates.added({"SSL_CERT_FILE": str(root / "named.pem")}, root) == (normal(OTHER),)


def test_a_private_key_is_no_certificate() -> None:
    text = pem(b"key", "PRIVATE KEY") + pem(b"key", "RSA PRIVATE KEY") + OURS
    assert list(certificates.split(text)) == [normal(OURS)]


def test_a_bundle_gets_each_certificate_once() -> None:
    once = certificates.joined(USUAL, [normal(OURS)])
    assert certificates.joined(once, [normal(OURS), normal(USUAL)]) == once
    assert list(certificates.split(once)) == [normal(USUAL), normal(OURS)]


@given(st.binary(min_size=1))
def test_splitting_is_stable(data: bytes) -> None:
    assert normal(normal(pem(data))) == normal(pem(data))


@given(st.text())
def test_no_text_breaks_the_splitter(text: str) -> None:
    list(certificates.split(text))
    list(certificates.split(f"-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----"))
