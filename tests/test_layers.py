"""The rooms of the package: imports point one way, and what is optional stays optional."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from attrs import frozen
from packaging.requirements import Requirement

import infin8_async

PACKAGE = Path(infin8_async.__file__).parent

# From the bottom up. A room imports from itself and from the layers below its own, never from its neighbours.
LAYERS = (
    ("models", "errors", "_files", "_extras", "_reader"),
    ("_columns",),
    ("_arrow",),
    ("_wire",),
    ("_pull",),
    ("stream", "budget"),
    ("_connection",),
    ("session",),
    ("_feed", "follow"),
    ("store", "export", "figures"),
    ("report", "dask", "probe"),
    ("cli",),
    ("__main__",),
)
LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
CLIENT = {room for rooms in LAYERS[: LAYERS.index(("session",)) + 2] for room in rooms}
"""What users hold, and what is behind it: the rooms that `infin8_async/__init__.py` may import."""

UPWARDS = {
    ("session", "_feed"): "session.follow() is the way to a feed",
    ("session", "follow"): "session.follow() is the way to a feed",
}


@frozen
class Import:
    """One module imports another at run time, at its top or in a function."""

    importer: str
    imported: str

    @property
    def rooms(self) -> tuple[str, str]:
        return room(self.importer), room(self.imported)


def room(module: str) -> str:
    """The room of a module of the package, `""` for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def modules() -> dict[str, Path]:
    names = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()


def imports(module: str) -> Iterator[Import]:
    """What a module imports of this package, except what only a type checker reads."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    nodes: list[ast.AST] = [ast.parse(path.read_bytes())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (Import(module, name.name) for name in node.names if name.name.startswith("infin8_async"))
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*up, *filter(None, [node.module])])
            if source.split(".")[0] == "infin8_async":
                for name in node.names:  # a name may be a module of its own
                    full = f"{source}.{name.name}"
                    yield Import(module, full if full in MODULES else source)


ALL = [found for module in sorted(MODULES) for found in imports(module)]


def test_the_imports_are_found():
    assert Import("infin8_async.cli.commands.pull", "infin8_async.cli.options") in ALL
    assert Import("infin8_async.stream", "infin8_async.models") in ALL
    assert Import("infin8_async.export.csv", "infin8_async._files") in ALL


def test_every_module_has_a_room():
    assert {room(module) for module in MODULES} - {"", "testing"} <= LAYER.keys()


def test_imports_point_from_the_upper_layers_to_the_lower_ones():
    wrong = []
    for found in ALL:
        upper, lower = found.rooms
        if "testing" in found.rooms or upper in ("", lower) or found.rooms in UPWARDS:
            continue
        if lower == "" or LAYER[upper] <= LAYER[lower]:
            wrong.append(found)
    assert wrong == []


def test_the_package_itself_imports_no_more_than_the_client():
    at_once = {found.rooms[1] for found in ALL if found.importer == "infin8_async"}
    later = {module.partition(".")[0] for module in infin8_async._LATER.values()}
    assert at_once <= {"models", "errors"}
    assert later <= CLIENT


def test_every_public_name_is_there_whenever_its_module_is_loaded():
    for name in infin8_async.__all__:
        assert getattr(infin8_async, name).__class__ is not None
    with pytest.raises(AttributeError, match="no attribute 'CdrStore'"):
        infin8_async.CdrStore  # noqa: B018  # asking is the test


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """The modules that are loaded after each of some lines, which a new process runs one after the other."""
    lines = [
        "import infin8_async",
        "from infin8_async import Infin8Session, CdrFeed",
        *(f"import infin8_async.{room}" for room in ("export", "figures", "probe", "testing")),
    ]
    code = "\n".join(["import sys", *(f"{line}\nprint(*sys.modules)" for line in lines)])
    ran = subprocess.run((sys.executable, "-c", code), check=True, capture_output=True, text=True)
    return dict(zip(lines, (set(modules.split()) for modules in ran.stdout.splitlines()), strict=True))


def test_what_takes_long_to_load_is_loaded_when_it_is_needed(loaded):
    assert loaded["import infin8_async"].isdisjoint({"aiohttp", "cattrs", "stamina", "filelock"})
    assert loaded["from infin8_async import Infin8Session, CdrFeed"].isdisjoint({"cattrs", "stamina", "filelock"})


def test_what_is_above_the_session_knows_nothing_of_what_is_behind_it():
    above = LAYER["_feed"]
    wrong = [found for found in ALL if found.rooms[1] in ("_wire", "_pull")]
    assert [found for found in wrong if LAYER.get(found.rooms[0], 0) > above] == []


def test_only_main_imports_the_command_line():
    assert {found.rooms[0] for found in ALL if found.rooms[1] == "cli"} == {"cli", "__main__"}


def test_the_sandbox_shares_nothing_with_the_client_but_models_and_errors():
    assert {found.rooms[1] for found in ALL if found.rooms[0] == "testing"} <= {"testing", "models", "errors"}


@cache
def optional() -> set[str]:
    """The modules that only an extra brings, without those of the tests themselves."""
    wanted: dict[bool, set[str]] = {True: set(), False: set()}
    for line in requires("infin8-async") or []:
        requirement = Requirement(line)
        if requirement.marker is None or not requirement.marker.evaluate({"extra": "test"}):
            wanted[requirement.marker is None].add(requirement.name.lower())
    modules = packages_distributions()
    return {
        module
        for module, owners in modules.items()
        if {owner.lower() for owner in owners} & (wanted[False] - wanted[True])
    }


def test_the_bare_install_imports_no_optional_package(loaded):
    assert {"cyclopts", "rich", "sqlalchemy", "pyarrow"} <= optional()
    assert {line: found for line, modules in loaded.items() if (found := modules & optional())} == {}
