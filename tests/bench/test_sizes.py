"""An extra weighs what it brings and skreg alone does not."""

import pytest

from skreg.bench._sizes import megabytes_of_extra


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """Lists of files of packages, among them one of skreg that shadows the installed one."""

    def install(name, size, *requirements):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        lines = [f"Requires-Dist: {requirement}" for requirement in requirements]
        head = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
        (folder / "METADATA").write_text("\n".join([*head, *lines]) + "\n")
        (folder / "RECORD").write_text(f"{name}.py,,{size}\n{name}.pyc,,\n")
        for suffix in ("py", "pyc"):  # files that are missing count nothing
            (tmp_path / f"{name}.{suffix}").touch()

    install("skreg", 1, "toy-base>=1", 'toy_part[more]>=2; extra == "toy"', 'absent; extra == "no"')
    install("toy_base", 10_000_000)
    install("toy_part", 2_000_000, "toy.base", "skreg", 'toy-rest; extra == "more"')
    install("toy_rest", 300_000, 'for-others; sys_platform == "none"', "toy-part")
    monkeypatch.syspath_prepend(tmp_path)


def test_all_that_an_extra_adds_counts_once(toys):
    assert megabytes_of_extra("toy") == pytest.approx(2.3)


def test_what_is_not_installed_counts_nothing(toys):
    assert megabytes_of_extra("no") == 0.0
    assert megabytes_of_extra("unknown") == 0.0
