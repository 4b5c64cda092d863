"""Configuration of the site; ``make docs`` builds it, without a network."""

import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from pages import write_pages  # noqa: E402  beside this file

import skreg  # noqa: E402

project = "skreg"
author = "The skreg developers"
copyright = "The skreg developers, BSD-3-Clause"
version = release = skreg.__version__

extensions = [
    "sphinx.ext.autodoc",
    "mathml",  # beside this file
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["verdicts", "**/GALLERY_HEADER.rst", "papers/_*"]
default_role = "code"
nitpicky = False

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # the order of examples is a function

autodoc_typehints = "none"  # the docstrings give types and shapes
autodoc_member_order = "groupwise"
html_math_renderer = "mathml"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = f"skreg {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 5,
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
    "pygments_light_style": "tango",
}
html_sidebars = {"index": [], "changelog": [], "citing": [], "peers": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"benchmarks",
    "within_subsection_order": "gallery_order.OrderOfTheHeader",
    "abort_on_example_error": True,
    "parallel": 2,
    "show_memory": False,
    "capture_repr": (),
    "min_reported_time": 1,
    "show_signature": False,
    "download_all_examples": False,
    "backreferences_dir": "api/examples",
    "doc_module": ("skreg",),
    "image_scrapers": ("matplotlib",),
    "matplotlib_animations": False,
    "remove_config_comments": True,
    "plot_gallery": os.environ.get("SKREG_DOCS_GALLERY", "1") == "1",
}

warnings.filterwarnings(
    "ignore", category=UserWarning, message="FigureCanvasAgg is non-interactive"
)
write_pages(HERE)
