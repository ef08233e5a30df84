"""Imports point one way, and importing srlab stays light."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.bench.peers import requirements

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "srlab"

DRAWING = {"matplotlib", "ipywidgets", "anywidget"}
HEAVY = {"torch", "torchvision", "matplotlib", "ipywidgets"}
OPTIONAL = {"onnxruntime"}  # of an extra: imported inside the function that needs it

# What a package is called where it is imported, if not as where it is installed.
IMPORTED_AS = {
    "ipython": "IPython",
    "griffelib": "griffe",
    "jupyterhub-firstuseauthenticator": "firstuseauthenticator",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
}


def imported_names(tree: ast.AST) -> set[str]:
    """Every dotted name that is imported, at the top or inside a function.

    ``from a import b`` gives both ``a`` and ``a.b``, since b may be a module.
    """
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            names |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return names


def dotted_attributes(tree: ast.AST) -> set[str]:
    """Every ``a.b`` that is read, as text."""
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {module: ast.parse(path.read_text()) for module, path in FILES.items()}
NAMES = {module: imported_names(tree) for module, tree in TREES.items()}


def subject(module: str) -> str:
    """``srlab.widgets.compare`` -> ``widgets``: what the rules speak of."""
    return module.split(".")[1] if "." in module else module


def subjects_used(module: str) -> set[str]:
    """The subjects of srlab that ``module`` imports, but its own."""
    used = {subject(name) for name in NAMES[module] if name in FILES and name != "srlab"}
    return used - {subject(module)}


def users_of(name: str) -> set[str]:
    """The subjects that import the outside package or module ``name``."""
    return {
        subject(module)
        for module, names in NAMES.items()
        if any(f"{imported}.".startswith(f"{name}.") for imported in names)
    }


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import torchvision.models", "torchvision.models"),
        ("from torchvision import models", "torchvision.models"),
        ("from torchvision.models import vgg16", "torchvision.models"),
        ("def f():\n    import matplotlib.pyplot as plt", "matplotlib.pyplot"),
    ],
)
def test_each_way_to_import_is_seen(source: str, name: str) -> None:
    assert name in imported_names(ast.parse(source))


def test_imports_name_whole_paths() -> None:
    """So that whoever reads one, a person or a test, sees the floor it comes from."""
    relative = {module for module, names in NAMES.items() if any(n[:1] == "." for n in names)}
    assert relative == set()


def test_the_package_was_read() -> None:
    assert {"srlab", "srlab.data", "srlab.models", "srlab.losses"} <= FILES.keys()
    assert subjects_used("srlab.data") >= {"files", "require"}


FLOORS = """
__main__
cli
widgets grader milestones
checks classroom plots
runs learner sheet foreign
scoring course
srlab
inference instant
zoo presets residuals
checkpoints unet losses doctor
metrics data
features images
runcard models upsamplers training machine app
files require
"""
"""The house from the roof down: a subject imports what stands on lower floors.

On one floor nobody knows the neighbors.
"""


def test_every_subject_stands_on_one_floor() -> None:
    assert sorted(FLOORS.split()) == sorted({subject(module) for module in FILES})


@pytest.mark.parametrize("floor", FLOORS.strip().splitlines())
def test_a_floor_rests_on_lower_ones(floor: str) -> None:
    lower = set(FLOORS.partition(f"\n{floor}\n")[2].split())
    guilty = {
        m: high
        for m in FILES
        if subject(m) in floor.split() and (high := subjects_used(m) - lower)
    }
    assert guilty == {}


FEW = {
    "course": {"files"},
    "classroom": {"course", "files", "learner"},
    "app": {"files"},
}
"""Those who could import more by their floor, and must not: they load no torch."""


@pytest.mark.parametrize("name", FEW)
def test_these_need_little(name: str) -> None:
    used = {used for m in FILES if subject(m) == name for used in subjects_used(m)}
    assert used <= FEW[name]


def test_only_plots_and_widgets_draw() -> None:
    assert set().union(*(users_of(name) for name in DRAWING)) <= {"plots", "widgets"}


def test_only_features_knows_the_models_of_torchvision() -> None:
    reading = {
        subject(module)
        for module, tree in TREES.items()
        if any(text.startswith("torchvision.models") for text in dotted_attributes(tree))
    }
    assert users_of("torchvision.models") | reading <= {"features"}


def test_srlab_asserts_nothing() -> None:
    guilty = [
        f"{module}:{node.lineno}"
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    assert guilty == [], "raise ValueError or TypeError with one sentence instead"


LIGHT = [
    "srlab.widgets.course_map",
    "srlab",
    "srlab.cli",
    "srlab.course.copy",
    "srlab.course.syllabus",
    "srlab.learner.progress",
]


def printed(code: str) -> str:
    """What a Python of its own prints, one that has loaded nothing yet."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_importing_these_loads_nothing_heavy() -> None:
    guilty = "\n".join(
        f"import {module}; print(*({module!r} for _ in {HEAVY} & sys.modules.keys()))"
        for module in LIGHT
    )
    assert printed(guilty).split() == [], "the first of them, or what it imports"


def test_scores_load_no_library_before_they_need_it() -> None:
    dear = {"torchvision", "torchmetrics", "piq"}
    code = f"import srlab.cli, srlab.scoring; print(*{dear} & sys.modules.keys())"
    assert printed(code).split() == []


def test_upscale_stands_at_the_top_and_waits_until_it_is_asked_for() -> None:
    code = (
        "import srlab\n"
        "print('torch' in sys.modules, 'upscale' in dir(srlab))\n"
        "from srlab import upscale\n"
        "import srlab.cli, srlab.inference\n"
        "from PIL import Image\n"
        "print(upscale is srlab.upscale is srlab.inference.upscale)\n"
        "print(srlab.upscale(Image.new('RGB', (3, 2)), 'bicubic', 2).size)\n"
        "print(hasattr(srlab, 'downscale'))"
    )
    assert printed(code).splitlines() == ["False True", "True", "(6, 4)", "False"]


def test_no_message_sends_people_to_an_index_that_has_no_srlab() -> None:
    guilty = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search(r"""install ["']?srlab\[""", path.read_text())
    ]
    assert guilty == [], "name the packages of the extra themselves"


@pytest.mark.parametrize(
    ("extra", "file"),
    [
        ("app", "app/__init__.py"),
        ("classroom", "classroom/command.py"),
        ("onnx", "foreign.py"),
        ("site", "course/site/__init__.py"),
        ("team", "runs/team.py"),
    ],
)
def test_messages_name_every_package_of_an_extra(extra: str, file: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (PACKAGE / file).read_text()
    said = text[text.index("pip install") :]
    for line in project["optional-dependencies"][extra]:
        assert Requirement(line).name in said, line


def test_what_is_optional_is_imported_where_it_is_needed() -> None:
    for module, tree in TREES.items():
        top = ast.Module([node for node in tree.body if not _defines(node)], [])
        assert not OPTIONAL & imported_names(top), module


def _defines(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def declared(*, tests: bool) -> set[str]:
    """The packages of pyproject.toml, by the name one imports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra, optional in project["optional-dependencies"].items():
        lines += optional if tests or extra != "test" else []
    names = (Requirement(line).name for line in lines)
    return {IMPORTED_AS.get(name, re.sub("-", "_", name)) for name in names}


def packages_imported(files: list[Path]) -> dict[str, str]:
    """Package from elsewhere -> one file that imports it."""
    found: dict[str, str] = {}
    for path in files:
        for name in imported_names(ast.parse(path.read_text())):
            found[name.split(".")[0]] = str(path.relative_to(ROOT))
    ours = {"srlab", "tests", *sys.stdlib_module_names}
    return {name: path for name, path in found.items() if name not in ours}


@pytest.mark.parametrize("folder", ["srlab", "tests"])
def test_what_is_imported_is_declared(folder: str) -> None:
    imported = packages_imported(sorted((ROOT / folder).rglob("*.py")))
    known = declared(tests=folder == "tests")
    if folder == "tests":  # the bench's peers have an environment of their own
        known |= {Requirement(line).name for line in requirements()}
    missing = {name: path for name, path in imported.items() if name not in known}
    assert missing == {}, "declare it in pyproject.toml and environment.yml, then make lock"
