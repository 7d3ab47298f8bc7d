"""What MkDocs does beyond its settings: pages of the API, and equations as MathML."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).parents[1] / "openmm_neuralmd"
WRITTEN = {"Results": "results.md", "Errors": "errors.md"}
"""Pages that tests and validation programs write or check; in the navigation once they exist."""
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def api_names() -> list[str]:
    """Modules and subpackages of the package that have code, by name."""
    modules = [path.stem for path in PACKAGE.glob("[a-z]*.py")]
    subpackages = [path.parent.name for path in PACKAGE.glob("[a-z]*/__init__.py")]
    return sorted(modules + subpackages)


def on_config(config: Any) -> Any:
    """Append the written pages and the API reference to the navigation."""
    here = Path(config.docs_dir)
    config.nav += [{title: name} for title, name in WRITTEN.items() if (here / name).exists()]
    pages = [{name: f"api/{name}.md"} for name in api_names()]
    config.nav.append({"API reference": pages})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Make a page of the API reference for each module and subpackage."""
    for name in api_names():
        content = f"::: openmm_neuralmd.{name}\n"
        files.append(File.generated(config, f"api/{name}.md", content=content))
    return files


def on_page_content(content: str, **_: Any) -> str:
    """Replace LaTeX by MathML, which browsers show without a script."""
    inline = INLINE.sub(lambda found: _mathml(found[1], "inline"), content)
    return DISPLAY.sub(lambda found: _mathml(found[1], "block"), inline)


def _mathml(latex: str, display: str) -> str:
    return convert(html.unescape(latex).strip(), display=display)
