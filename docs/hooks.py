"""What MkDocs does beyond its settings: a page of each notebook, and equations as MathML."""

from __future__ import annotations

import html
import re
import tempfile
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from notebooks import as_markdown, executed

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Run each notebook, and make a page of it and of what its cells show."""
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            body, pictures = as_markdown(executed(path, Path(folder)), path.stem)
        files.append(File.generated(config, f"examples/{path.stem}.md", content=body))
        for name, content in pictures.items():
            files.append(File.generated(config, f"examples/{name}", content=content))
    return files


def on_page_content(content: str, **_: Any) -> str:
    """Replace LaTeX by MathML, which browsers show without a script."""
    inline = INLINE.sub(lambda found: _mathml(found[1], "inline"), content)
    return DISPLAY.sub(lambda found: _mathml(found[1], "block"), inline)


def _mathml(latex: str, display: str) -> str:
    return convert(html.unescape(latex).strip(), display=display)
