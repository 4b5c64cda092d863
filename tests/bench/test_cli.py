"""The ``skreg`` command: names, exit codes, help, light start."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skreg
from skreg.bench import _bench_cli
from skreg.bench._cli import main
from skreg.bench._compile_ahead import find_families
from skreg.bench._registry import find_benchmarks, load_benchmark

from .conftest import TOYS


def test_list_names_packaged_and_further_benchmarks(capsys):
    assert main(["bench", "--benchmarks", str(TOYS), "list"]) == 0
    summaries = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {"naive-bayes-probe", "probe-speed", "toy-means"} <= set(summaries)
    assert list(summaries) == sorted(summaries)
    assert "Does the median estimate the centre" in summaries["toy-means"]


@pytest.mark.parametrize("words", [["bench", "naive-bayes"], ["bench", "run", "naive-bayes"]])
def test_unknown_name_lists_near_misses(words, capsys):
    assert main(words) == 2
    assert "did you mean naive-bayes-probe" in capsys.readouterr().err


def test_the_package_runs_as_the_command():
    words = [sys.executable, "-m", "skreg", "bench", "list"]
    answer = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "naive-bayes-probe" in answer.stdout


def test_misspelt_action_lists_near_misses(capsys):
    assert main(["bench", "lits"]) == 2
    assert "did you mean list" in capsys.readouterr().err


def test_name_that_resembles_nothing_points_to_the_list(capsys):
    assert main(["bench", "xyzzy"]) == 2
    assert "`skreg bench list` names all" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bench"],
        ["bench", "run"],
        ["bench", "run", "all", "--repeats", "0"],
        ["bench", "run", "all", "--n-jobs", "-3"],
        ["bench", "run", "all", "--size", "huge"],
        ["bench", "run", "all", "--dask", "tcp://a:1", "--n-jobs", "2"],
        ["bench", "--benchmarks", "no/such/folder", "list"],
    ],
)
def test_usage_errors_exit_with_two(words, capsys):
    assert main(words) == 2
    assert "usage" in capsys.readouterr().err


def test_named_runs_print_a_line_for_each_claim_and_one_at_the_end(run_toy):
    code, out, err, folder = run_toy()
    assert code == 0
    head, *claims, end = out.splitlines()
    assert head.startswith("toy-means, size quick: 8 cells")
    assert [line.partition(" –")[0] for line in claims] == [
        "  [reproduced] The mean is not far off.",
        "  [contradicted] The median is far off.",
        "  [undecided] The mean is better.",
    ]
    assert all("seeds); required: " in line for line in claims)
    assert end.startswith("1 reproduced, 1 contradicted, 1 undecided; ")
    assert end.endswith(f"s. Report: {folder / 'report.html'}")
    assert err == ""


def test_strict_fails_on_a_claim_that_is_contradicted(run_toy):
    assert run_toy()[0] == 0
    assert run_toy("--strict")[0] == 3


def test_strict_is_silent_about_what_is_undecided(run_toy):
    _, out, _, _ = run_toy(size="smallest")
    assert out.count("[at this size]") == 3
    assert run_toy("--strict", size="smallest")[0] == 0


def test_failed_cell_outranks_strict(run_toy, monkeypatch):
    monkeypatch.setenv("TOY_FAILS", "median 1")
    assert run_toy("--strict")[0] == 1


def test_tables_are_printed_on_demand(run_toy):
    assert "Squared error" not in run_toy()[1]
    assert "Squared error, difference from mean" in run_toy("--verbose")[1]
    _, out, _, folder = run_toy("--quiet")
    (line,) = out.splitlines()
    assert str(folder / "report.html") in line


def test_missing_extra_is_named(run_toy, monkeypatch):
    monkeypatch.setattr(_bench_cli, "_NEEDED", ("pandas", "no_such_package"))
    code, _, err, folder = run_toy()
    assert code == 2
    assert err == "skreg bench: no_such_package is not installed: pip install 'skreg[bench]'\n"
    assert not folder.exists()


@pytest.fixture
def needy(tmp_path):
    """A folder with a benchmark that needs packages which are not installed."""
    folder = tmp_path / "needy"
    folder.mkdir()
    (folder / "needs_torch.py").write_text(
        '"""Is it there?"""\n\nEXTRA = "deep"\nimport no_such_package\n'
    )
    return str(folder)


def test_benchmark_whose_extra_is_missing_is_listed_named_and_left_out(needy, monkeypatch, capsys):
    extras = {"deep": ["no_such_package"]}
    monkeypatch.setattr("skreg.bench._registry.extras", lambda: extras)
    assert main(["bench", "--benchmarks", needy, "list"]) == 0
    assert "Is it there? (needs skreg[deep])" in capsys.readouterr().out
    assert main(["bench", "--benchmarks", needy, "needs-torch"]) == 2
    message = "needs-torch needs no_such_package: pip install 'skreg[deep]'\n"
    assert capsys.readouterr().err == f"skreg bench: {message}"
    known = {name: file for name, file in find_benchmarks([Path(needy)]).items() if "needs" in name}
    monkeypatch.setattr(_bench_cli, "find_benchmarks", lambda folders: known)
    assert main(["bench", "quick"]) == 0
    assert capsys.readouterr().out == f"Left out: {message}"
    extras["deep"] = []
    assert main(["bench", "list"]) == 0
    assert capsys.readouterr().out.endswith("Is it there?\n")


def test_size_that_a_benchmark_does_not_have(monkeypatch, tmp_path, capsys):
    benchmark = load_benchmark(find_benchmarks([TOYS])["toy-means"].path)
    setting = next(iter(benchmark.settings.values()))
    full = dataclasses.replace(setting, parameters={"full": setting.parameters["full"]})
    fuller = dataclasses.replace(benchmark, settings={"full": full}, claims=[], figures=[])
    monkeypatch.setattr("skreg.bench._plan.load_benchmark", lambda path: fuller)
    words = ["bench", "--benchmarks", str(TOYS)]
    output = ["--output", str(tmp_path)]
    assert main([*words, "toy-means", "--size", "quick", *output]) == 2
    assert "toy-means has no size quick, but full" in capsys.readouterr().err
    assert main([*words, "quick", "--output", str(tmp_path)]) == 0
    assert list(tmp_path.rglob("*.html")) == []


def test_quick_runs_every_benchmark_into_one_index(tmp_path, monkeypatch, capsys):
    toy = find_benchmarks([TOYS])["toy-means"]
    toys = {"toy-means": toy, "toy-again": toy._replace(name="toy-again")}
    monkeypatch.setattr(_bench_cli, "find_benchmarks", lambda folders: toys)
    assert main(["bench", "quick", "--n-jobs", "1", "--output", str(tmp_path)]) == 0
    index = tmp_path / "quick" / "index.html"
    head, one, two, end = capsys.readouterr().out.splitlines()
    assert head.startswith("2 benchmarks, size quick: 16 cells")
    assert one.startswith("toy-means  1 reproduced, 1 contradicted, 1 undecided; ")
    assert two.startswith("toy-again  1 reproduced, 1 contradicted, 1 undecided; ")
    assert end.startswith("2 reproduced, 2 contradicted, 2 undecided; ")
    assert end.endswith(f"Report: {index}")
    page = index.read_text()
    for name in toys:
        assert f'href="#{name}"' in page
        assert f'id="{name}"' in page
    words = ["toy-means", "toy-again", "--size", "quick", "--n-jobs", "1"]
    assert main(["bench", *words, "--output", str(tmp_path)]) == 0
    _, first, *_, second, _, _, _, _ = capsys.readouterr().out.splitlines()
    assert (first, second) == ("toy-means, size quick", "toy-again, size quick")


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"skreg {skreg.__version__}\n"
    assert main(["bench", "quick", "--help"]) == 0
    assert "130  interrupted" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["run", "toy-means", "--size", "smallest", "--output", "DIR", "--benchmarks", "TOYS"],
        ["--size", "smallest", "--output", "DIR", "--benchmarks", "TOYS", "run", "toy-means"],
        ["--output", "DIR", "run", "--size", "smallest", "toy-means", "--benchmarks", "TOYS"],
        ["toy-means", "--benchmarks", "TOYS", "--output", "DIR", "--size", "smallest"],
        ["--benchmarks", "TOYS", "toy-means", "--output", "DIR", "--size", "smallest"],
    ],
)
def test_options_stand_before_and_after_the_action(words, tmp_path, capsys):
    places = {"DIR": str(tmp_path / "output"), "TOYS": str(TOYS)}
    assert main(["bench", *(places.get(word, word) for word in words), "--n-jobs", "1"]) == 0
    assert "toy-means, size smallest: 4 cells" in capsys.readouterr().out
    assert (tmp_path / "output" / "smallest" / "toy-means" / "report.html").exists()


def test_options_that_an_action_does_not_take_are_named(capsys):
    assert main(["bench", "quick", "--size", "full"]) == 2
    assert "`skreg bench quick` takes no --size" in capsys.readouterr().err
    assert main(["bench", "--n-jobs", "2", "list"]) == 2
    assert "`skreg bench list` takes no --n-jobs" in capsys.readouterr().err
    assert main(["bench", "quick", "presto"]) == 2
    assert "takes no names, but got presto" in capsys.readouterr().err


def test_quick_is_within_thirty_lines_without_torch():
    """A line for each benchmark, one before and one after, and a line for each missing extra."""
    files = find_benchmarks().values()
    assert sum(not file.extra for file in files) + len({file.extra for file in files}) + 1 <= 30


def test_info_tells_versions_machine_cache_and_extras(capsys):
    assert main(["info"]) == 0
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["skreg"].strip() == skreg.__version__
    for name in ("numba", "Processor", "Memory", "Kernel cache", "Extra bench", "Extra deep"):
        assert lines[name].strip()


def test_list_and_info_load_no_extra_package():
    probe = (
        "import sys; from skreg.bench._cli import main; main(['bench', 'list']); main(['info']);"
        "extra = {'pandas', 'matplotlib', 'jinja2', 'tqdm', 'torch', 'dask', 'sklearn'};"
        "sys.exit(' '.join(extra & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def python(program, **environment):
    """What a fresh process prints."""
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


def test_warmup_compiles_all_that_a_first_fit_needs(tmp_path):
    warmup = "from skreg.bench._cli import main; main(['warmup', 'probe', '--jobs', '1'])"
    family, cache = python(warmup, NUMBA_CACHE_DIR=str(tmp_path)).splitlines()
    assert family.startswith("probe ")
    assert " 0 versions" not in family
    assert str(tmp_path) in cache
    fits = """
import numpy as np
from scipy import sparse
from skreg._compiling import notice
from skreg.probe import LinearNaiveBayes, naive_bayes_report
X, y = np.random.default_rng(1).normal(size=(90, 7)), np.arange(90) % 3
for features in (X, X.astype("f4"), np.asfortranarray(X), sparse.csr_array(X)):
    LinearNaiveBayes().fit(features, y)
naive_bayes_report(X, y)
print(notice.n_compiled)
"""
    assert python(fits, NUMBA_CACHE_DIR=str(tmp_path)) == "0\n"


FIRST_FITS = {
    "linear_model": """
from skreg.linear_model import *
S = sparse.csr_matrix(np.where(X > 0.5, X, 0.0))
for features in (X, X[:30], S):
    y = features @ np.linspace(-1.0, 1.0, 50)
    for estimator in (Lasso(0.1), ElasticNet(0.1), HuberLasso(0.1), NonNegativeLeastSquares()):
        estimator.fit(features, y)
    GroupLasso(groups=5, alpha=0.1).fit(features, y)
    MultiTaskLasso(0.1).fit(features, np.column_stack([y, y**2]))
    SparseLogisticRegression().fit(features, y > 0.0)
    SparseLogisticRegression().fit(features, np.digitize(y, [-0.5, 0.5]))
    SparsePoissonRegressor(0.1).fit(features, np.rint(np.abs(y)))
    LassoCV(cv=3, alphas=10).fit(features, y)
""",
    "ordinal": """
from skreg.ordinal import *
X = X[:, :6]
for features in (X, sparse.csr_array(X * (X > 0.5))):
    y = np.digitize(X[:, 0] + X[:, 1] ** 2, [-0.5, 0.5, 1.5])
    for estimator in (ProportionalOddsClassifier(), PrestoClassifier(), PrestoClassifierCV(cv=3)):
        estimator.fit(features, y)
""",
    "causal": """
from skreg.causal import *
short = dict(warm_iter=20, max_iter=20, checkpoint=10)
for noise in ("ev", "nv"):
    CoLiDE(noise, **short).fit(X[:, :6])
    CoLiDE(noise, mode="fast", **short).fit(X[:, :6])
SortNRegress().fit(X[:, :6])
BootstrapDAG(CoLiDE("nv", mode="fast", **short), n_bootstraps=2).fit(X[:, :6])
""",
    "semi_supervised": """
from skreg.semi_supervised import *
y = np.where(np.arange(200) < 20, np.arange(200) % 2, -1)
GraphLabelPropagation(n_neighbors=15).fit(X[:, :3], y)
GraphLabelPropagation(n_neighbors=15, coupling="huber").fit(X[:, :3], y)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("family", FIRST_FITS)
def test_first_fits_after_warmup_compile_nothing(family):
    python(f"from skreg.bench._cli import main; main(['warmup', {family!r}, '--jobs', '1'])")
    program = f"""
import numpy as np
from scipy import sparse
from skreg._compiling import notice
X = np.random.default_rng(1).normal(size=(200, 50))
{FIRST_FITS[family]}
print(notice.n_compiled)
"""
    assert python(program) == "0\n"


def test_warmup_of_an_unknown_family_names_the_known_ones(capsys):
    assert main(["warmup", "causal", "nothing"]) == 2
    message = capsys.readouterr().err
    assert "unknown family 'nothing'" in message
    assert all(family in message for family in find_families())


def test_every_folder_with_kernels_can_be_warmed_up():
    """The ground has none of its own: what uses its kernels compiles them."""
    package = Path(skreg.__file__).parent
    with_kernels = {
        path.relative_to(package).parts[0]
        for path in package.glob("*/**/*.py")
        if "_jit import" in path.read_text()
    }
    assert with_kernels - {"moments"} <= set(find_families())
