"""Notebooks executed, and as pages in Markdown: the repository has them without their outputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

INLINE = "module://matplotlib_inline.backend_inline"
"""Pictures go into the notebook, also where MPLBACKEND asks for something else."""


def executed(path: Path, folder: Path, seconds: int = 600) -> Any:
    """A notebook with the outputs of its cells, run in `folder` by this very Python.

    Raises
    ------
    CellExecutionError
        A cell failed; the message has the cell and its traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec.name = "python3"
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=seconds, startup_timeout=seconds, resources=where)
    return client.execute(env={**os.environ, "MPLBACKEND": INLINE})


def as_markdown(notebook: Any, prefix: str) -> tuple[str, dict[str, bytes]]:
    """A page, and its pictures by the names that the page gives them."""
    files = {"unique_key": prefix, "output_files_dir": prefix}
    body, resources = MarkdownExporter().from_notebook_node(notebook, resources=files)
    return body.replace("![png]", "![drawn by the cell above]"), resources["outputs"]
