import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.bases import settings, sources

SECRETS = st.text(string.ascii_letters + string.digits + "-_.~!$&'()*+,;=%:@", min_size=6)
SECRET_WORDS = st.text(string.ascii_letters + string.digits, min_size=12, max_size=30)


@pytest.mark.parametrize(
    ("given_", "clean"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://ann:pw@proxy:3128/", "http://proxy:3128/"),
        ("https://ann:p@w@host/a/b?token=1#x", "https://host/a/b"),
        ("https://[::1]:8080/x", "https://[::1]:8080/x"),
        ("ann:pw@proxy:3128", None),
        ("http://ann:p/w@host", None),
        ("http://host:port", None),
        ("http://ho\nst", None),
        ("", None),
    ],
)
def test_an_address_loses_what_is_secret(given_: str, clean: str | None) -> None:
    assert settings.clean_url(given_) == clean


@given(user=SECRETS, password=SECRETS, secret=SECRET_WORDS)
def test_no_part_of_a_login_survives_in_any_setting(user: str, password: str, secret: str) -> None:
    address = f"https://{user}{secret}:{password}{secret}@mirror.example:8443/path?key={secret}"
    npmrc = (
        f"registry={address}\n@me:registry={address}\nproxy={address}\nhttps-proxy={address}\n"
        f"//mirror.example/:_authToken={secret}\n_auth={secret}\n_password={secret}\n"
        f"noproxy={secret} {address}\nstrict-ssl={secret}\nemail={secret}\nkey={secret}\n"
    )
    found = (
        settings.npm_options([npmrc], {"NPM_CONFIG__AUTH": secret, "npm_config_proxy": address}),
        settings.go_options(f"GOPROXY={address},direct\nGOAUTH={secret}\n", {}),
        settings.go_options("", {"GOSUMDB": f"sum.example {address}", "GOFLAGS": f"-X={secret}"}),
        settings.apt_options(f'Acquire::http::Proxy "{address}";\nAcquire::x::Pass "{secret}";'),
        sources.mirrors(sources.parse(f"deb {address} trixie main", deb822=False)),
    )
    assert secret not in repr(found)


@given(text=st.text(), name=st.sampled_from(["GOPROXY", "GOSUMDB", "GOFLAGS"]))
def test_nothing_in_a_setting_of_go_breaks_the_reader(text: str, name: str) -> None:
    for key, value in settings.go_options("", {name: text}):
        assert key == name
        assert "\n" not in value


@given(st.text())
def test_no_npmrc_breaks_the_reader(text: str) -> None:
    for _, value in settings.npm_options([text], {}):
        assert "\n" not in value


@given(st.text())
def test_no_address_breaks_the_cleaner(text: str) -> None:
    clean = settings.clean_url(text)
    assert clean is None or settings.clean_url(clean) == clean


def test_npm_takes_registries_proxies_and_switches_and_nothing_else() -> None:
    text = """
        ; a comment = 1
        registry = "https://r.example/npm/"
        @corp:registry=https://corp.example/
        audit=false
        cafile=/home/ann/ca.pem
        prefix=/opt
    """
    assert settings.npm_options([text], {}) == (
        ("@corp:registry", "https://corp.example/"),
        ("audit", "false"),
        ("registry", "https://r.example/npm/"),
    )


def test_the_environment_wins_over_npmrc() -> None:
    found = settings.npm_options(
        ["registry=https://a.example/"], {"NPM_CONFIG_REGISTRY": "https://b.example/"}
    )
    assert found == (("registry", "https://b.example/"),)


@pytest.mark.parametrize(
    ("key", "value", "clean"),
    [
        ("GOPROXY", "https://u:p@a.example,https://b.example|direct", True),
        ("GOPROXY", "off", True),
        ("GOSUMDB", "off", True),
        ("GOSUMDB", "sum.example+abc+DEF/+= https://u:p@s.example", True),
        ("GOFLAGS", "-mod=mod -ldflags=-Xmain.token=1 -trimpath", True),
        ("GOFLAGS", "-ldflags=-Xmain.token=1", False),
        ("GOPRIVATE", "corp.example", False),
    ],
)
def test_go_keeps_what_is_harmless(key: str, value: str, clean: bool) -> None:
    found = dict(settings.go_options("", {key: value}))
    assert (key in found) is clean
    assert "u:p" not in str(found)
    assert "token" not in str(found)


def test_apt_proxies_are_taken_from_its_own_words() -> None:
    dump = """
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://u:p@proxy.example:3128/";
Acquire::https::Proxy::security.example "DIRECT";
Acquire::Languages "none";
"""
    assert settings.apt_options(dump) == (
        ("Acquire::http::Proxy", "http://proxy.example:3128/"),
        ("Acquire::https::Proxy::security.example", "DIRECT"),
    )


def test_a_machine_is_read_from_its_files(tmp_path: Path) -> None:
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text("deb http://m.example/debian trixie main\n")
    (tmp_path / ".npmrc").write_text("registry=https://r.example/\n")
    (tmp_path / "go.env").write_text("GOPROXY=https://g.example\n")
    env = {"HOME": str(tmp_path), "GOENV": str(tmp_path / "go.env")}
    found = settings.read(env, root=tmp_path)
    assert found.sources == sources.Mirrors("http://m.example/debian")
    assert found.npm == (("registry", "https://r.example/"),)
    assert found.go == (("GOPROXY", "https://g.example"),)
    assert found.certificates == ()
