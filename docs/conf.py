"""Sphinx settings: Markdown pages, numpydoc docstrings, the furo theme, nothing fetched from anywhere.

``reference.py`` writes the page ``commands.md`` from the command line's own declarations.
"""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "Dealwright"
author = "The Dealwright authors"
release = version = installed_version("dealwright")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True  # an attribute described in a class's text is not listed a second time

html_theme = "furo"
html_title = f"Dealwright {release}"
html_copy_source = False
