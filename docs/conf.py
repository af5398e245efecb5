"""How Sphinx turns the sources that tools/site lays out into pages: all of it local, and nothing from a network."""

import tomllib
from pathlib import Path

project = "Iterative α-(de)Blending"
version = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "version"
]
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "tools.site.maths",
    "tools.site.signatures",
]
smartquotes_action = "D"  # dashes, but no quotes: code in prose is read by people who type it

nb_execution_mode = "off"  # a page shows what is stored
nb_ipywidgets_js = {}  # which would come from a network
nb_metadata_to_fm = True  # so that a notebook can say that the search leaves it out
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_dmath_allow_labels = False
myst_dmath_allow_space = False  # else "$5 and $6" would be a formula
myst_dmath_allow_digits = False
myst_update_mathjax = False
myst_heading_anchors = 4
html_math_renderer = "mathml"

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_domain_indices = False  # the reference has the modules, in a better order
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it would fetch pages, which a browser forbids where they are files
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_show_copyright = False
html_theme_options = {
    "extra_footer": "<p>Code and weights: Apache-2.0. Text and pictures: CC BY 4.0,"
    " but for pictures with digits of MNIST: CC BY-SA 4.0.</p>",
    "footer_content_items": ["extra-footer.html"],
    "use_download_button": False,  # a lesson's own row of links says what it downloads
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the search stands in the sidebar
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

add_module_names = False
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True  # as the source has them, and not as an address in memory
autodoc_typehints = "signature"
autosummary_generate = False
maximum_signature_line_length = 88  # of its full names; above it, an argument a line
napoleon_attr_annotations = False  # the signature has them
napoleon_numpy_docstring = False
napoleon_use_param = False  # one entry for "x0, x1: …", as it is written, and not the same words twice
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
viewcode_follow_imported_members = False  # each name is shown where it is defined
