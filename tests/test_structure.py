"""The house of DESIGN: who may import whom, read from the sources."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND = {"pictures", "graphs", "moments", "rows", "strengths"}  # and skreg/_*.py
ENGINE = {"optim", "metrics"}
# rooms of the engine: what each may import of the others
ENGINE_ROOMS = {
    "penalties": set(),
    "losses": set(),
    "kernels": {"penalties", "losses"},
    "solver": {"kernels", "penalties", "losses"},
    "descent": {"kernels", "penalties", "losses", "solver"},
}


def sources():
    """Every module of the package: dotted name, path."""
    for folder, package in ((ROOT / "skreg", "skreg"), (ROOT / "deep", "skreg.deep")):
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(sources())


def imports_of(name, path):
    """Pairs (module, names) that a module imports anywhere, but for the eyes of type checkers."""
    tree = ast.parse(path.read_text())
    unseen = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, set()
        elif isinstance(node, ast.ImportFrom):
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            base = package.split(".")[: len(package.split(".")) - (node.level - 1)]
            module = ".".join([*base, node.module] if node.module else base)
            yield (module if node.level else node.module), {alias.name for alias in node.names}


def arrows():
    """Triples (importing module, imported module, names) within the package."""
    for name, path in MODULES.items():
        for module, names in imports_of(name, path):
            if module.partition(".")[0] != "skreg":
                continue
            inner = {n for n in names if f"{module}.{n}" in MODULES}
            for n in inner:
                yield name, f"{module}.{n}", set()
            if names - inner or not names:
                yield name, module, names - inner


ARROWS = list(arrows())


def room(name):
    """First part below skreg; private modules of the top level are the ground."""
    return (name.split(".") + [""])[1]


def floor(name):
    first = room(name)
    if first == "__main__":
        return 6
    if first.startswith("_") or first in GROUND or first == "":
        return 0
    if first in ENGINE or first == "datasets":
        return 1
    return {"deep": 3, "demo": 4, "export": 4, "bench": 5}.get(first, 2)


def test_no_arrow_points_upward_or_to_a_neighbour():
    wrong = [
        (source, target)
        for source, target, _ in ARROWS
        if room(source) != room(target)
        and source != "skreg"
        and (floor(source) <= floor(target) if floor(source) else floor(target) > 0)
    ]
    assert not wrong


def test_datasets_and_metrics_stand_on_the_ground_alone():
    assert not [
        (source, target)
        for source, target, _ in ARROWS
        if room(source) in ("datasets", "metrics")
        and room(target) != room(source)
        and floor(target) > 0
    ]


def test_methods_see_of_the_engine_what_it_lists():
    """Names of `__all__` of its packages, never their private modules."""
    wrong = []
    for source, target, names in ARROWS:
        if room(target) in ENGINE and room(source) not in (*ENGINE, "bench"):
            tree = ast.parse(MODULES[target].read_text())
            listed = {
                element.value
                for node in tree.body
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
                for element in node.value.elts
            }
            if MODULES[target].name != "__init__.py" or not names <= listed:
                wrong.append((source, target, names))
    assert not wrong


def test_rooms_of_the_engine_do_not_look_up():
    wrong = []
    for source, target, _ in ARROWS:
        if room(source) == room(target) == "optim" and source.count(".") > 2:
            own, other = source.split(".")[2], (target.split(".") + [""])[2]
            if own != other and other not in ENGINE_ROOMS[own]:
                wrong.append((source, target))
    assert not wrong


def test_rooms_of_networks_stand_on_the_frame():
    """A method knows no other room; the frame knows no method; facades only list."""
    wrong = []
    for source, target, _ in ARROWS:
        if room(source) == room(target) == "deep" and source.count(".") > 2:
            own, other = source.split(".")[2], (target.split(".") + [""])[2]
            if other not in (own, "frame", "") and own not in ("torch", "regularizers"):
                wrong.append((source, target))
    assert not wrong


def circles(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


@pytest.mark.parametrize("level", ["modules", "rooms"])
def test_there_are_no_circles(level):
    """Packages import their own modules to list them, which is no circle."""
    graph = {}
    for source, target, _ in ARROWS:
        if level == "rooms":
            source, target = (f"{n}.".split(".", 2)[1] or "skreg" for n in (source, target))
        if source != target and not target.startswith(source + "."):
            graph.setdefault(source, set()).add(target)
    assert circles(graph) is None
