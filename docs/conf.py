"""Sphinx: MyST pages in Diátaxis folders."""

import re
from pathlib import Path

project = "pastebox"
author = "The pastebox authors"
copyright = author  # noqa: A001  # Sphinx's name
_text = (Path(__file__).parents[1] / "pastebox/__init__.py").read_text(encoding="utf-8")
version = release = re.findall(r'__version__ = "(.*)"', _text)[0]

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"pastebox {release}"
html_copy_source = False
