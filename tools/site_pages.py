"""Hooks of mkdocs.yml: pages that lie outside of docs/, links to them, API pages.

The files of ``OUTSIDE`` become pages of the site. Links are written as they work in
the repository, relative to the file they stand in; here they are turned into links
between pages. What is no page (a folder, a script) keeps its words and loses its link.

A line ``!modules ssvad/models/losses`` of a page stands for all modules of that folder.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = ('configs/README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')
ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r'(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)')
MODULES = re.compile(r'^!modules (\S+)$', re.MULTILINE)
# docstrings are written for readers of the source: :func:`~a.b.c` and "as follows ::"
ROLE = re.compile(r':(?:attr|class|func|meth|mod):<code>~?(?:\w+\.)*(\w+)</code>')


def translate(text: str, source: str, pages: Collection[str]) -> str:
    """Turn links of a file of the repository into links of its page.

    Args:
        text: Markdown.
        source: Path of the file in the repository.
        pages: Paths in the repository of all files of the site.

    Returns:
        The text. Links to other files of the repository are reduced to their words;
        links to nothing stay, for MkDocs to complain about.
    """

    def replace(match: re.Match) -> str:
        words, target, anchor = match.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in pages:
            here = posixpath.dirname(place(source)) or '.'
            return f'[{words}]({posixpath.relpath(place(path), here)}{anchor or ""})'
        return words if (ROOT / path).exists() else match[0]

    return LINK.sub(replace, text)


def place(path: str) -> str:
    """Where a file of the repository lies in the site."""
    return path.removeprefix('docs/')


def list_modules(text: str) -> str:
    """Put what mkdocstrings reads for the lines that name a folder of modules.

    Raises:
        ValueError: If there are no modules in a folder.
    """

    def replace(match: re.Match) -> str:
        files = sorted((ROOT / match[1]).glob('[!_]*.py'))
        if not files:
            raise ValueError(f'no modules in {match[1]}')
        package = match[1].replace('/', '.')
        return '\n\n'.join(f'::: {package}.{file.stem}' for file in files)

    return MODULES.sub(replace, text)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    for name in OUTSIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Translate the links of a page, and list its modules."""

    def source(uri: str) -> str:
        return uri if uri in OUTSIDE else f'docs/{uri}'

    pages = {source(file.src_uri) for file in files}
    return list_modules(translate(markdown, source(page.file.src_uri), pages))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take out of docstrings what only Sphinx understands."""
    return ROLE.sub(r'<code>\1</code>', html).replace(' ::</p>', ':</p>')
