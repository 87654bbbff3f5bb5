"""How the pages are built: ``sphinx-build -W docs docs/_build/html``."""

from importlib.metadata import version as installed

project = "authflow"
author = "The authflow authors"
copyright = f"2026, {author}"
release = version = installed("authflow")

extensions = ["myst_parser", "sphinxcontrib.mermaid"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"authflow {release}"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
# A diagram is written as a plain fence, so that it is drawn on a code host as well as here.
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
