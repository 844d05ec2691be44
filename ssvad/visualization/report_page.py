"""A report as one HTML page that needs nothing but itself.

Text of a page comes from users: names of videos, classes, files, configs. The template
escapes all of it, the page runs no script, and its content security policy forbids a
browser to fetch anything.
"""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.figure import Figure

MIME_TYPES = {
    '.jpg': 'image/jpeg',
    '.mp4': 'video/mp4',
    '.png': 'image/png',
    '.svg': 'image/svg+xml',
}
LONG = 40


class Note(NamedTuple):
    """A paragraph.

    Attributes:
        text: of it.
        tone: '', 'warning', or 'missing' for what should be here and is not.
    """

    text: str
    tone: str = ''
    kind: str = 'note'


class Facts(NamedTuple):
    """Names and what is to be said of them; ``rows`` are pairs, empty if not known."""

    rows: Sequence[tuple[str, Any]]
    kind: str = 'facts'

    @property
    def known(self) -> list[tuple[str, str, bool]]:
        """Name, text, and whether it is too long to stand beside others."""
        texts = [(name, cell_text(fact)) for name, fact in self.rows if fact != '']
        return [(name, text, len(text) > LONG) for name, text in texts]


class Numbers(NamedTuple):
    """The few numbers that a reader looks for first; ``rows`` are (name, percent)."""

    rows: Sequence[tuple[str, float]]
    kind: str = 'numbers'


class Table(NamedTuple):
    """A table.

    Attributes:
        columns: header -> cells; a number has two decimals if it is a float, None and
            NaN are dashes.
        title: above it.
        folded: whether the reader must open it first.
    """

    columns: Mapping[str, Sequence]
    title: str
    folded: bool = False
    kind: str = 'table'

    @property
    def cells(self) -> list[tuple]:
        """Row by row."""
        return list(zip(*self.columns.values()))


class Picture(NamedTuple):
    """An image or video.

    Attributes:
        uri: result of `data_uri`.
        text: what can be seen, for those who cannot see it.
        caption: lines below it.
        name: bold, before the caption.
    """

    uri: str
    text: str
    caption: Sequence[str] = ()
    name: str = ''
    kind: str = 'picture'

    @property
    def moving(self) -> bool:
        """Whether it is a video."""
        return self.uri.startswith('data:video/')


class Gallery(NamedTuple):
    """Pictures side by side.

    Attributes:
        title: above them.
        note: below the title.
        pictures: all of them.
        wide: whether two of them fill the page, not four.
    """

    title: str
    note: str
    pictures: Sequence[Picture]
    wide: bool = False
    kind: str = 'gallery'


class Code(NamedTuple):
    """Text to be shown as it is, folded up under a title."""

    title: str
    text: str
    kind: str = 'code'


class Section(NamedTuple):
    """A part of the page.

    Attributes:
        anchor: name that links lead to.
        title: of the part, also in the table of contents.
        blocks: Note, Facts, ...
        tone: '', or the protocol whose colour it has: 'standard' or 'capsule'.
    """

    anchor: str
    title: str
    blocks: Sequence
    tone: str = ''


class Page(NamedTuple):
    """All of a report.

    Attributes:
        title: of the page.
        subtitle: a line below.
        sections: from top to bottom.
        footer: last line.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    footer: str


def render_page(page: Page) -> str:
    """The page as HTML."""
    return _template().render(page=page)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding='utf-8'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(cell=cell_text, breakable=breakable)
    return environment.get_template('report.html.j2')


def cell_text(value: Any) -> str:
    """How a table shows a value."""
    if value is None or isinstance(value, float) and math.isnan(value):
        return '–'
    return f'{value:.2f}' if isinstance(value, float) else str(value)


def breakable(name: str) -> Markup:
    """The name of a metric, escaped, that a narrow column may break after its signs."""
    return Markup('<wbr>').join(re.findall(r'[^_@]*[_@]+|[^_@]+$', name))


def data_uri(data: bytes, suffix: str) -> str:
    """A file as an address that holds all of it.

    Raises:
        KeyError: if the suffix is none of `MIME_TYPES`.
    """
    return f'data:{MIME_TYPES[suffix]};base64,{base64.b64encode(data).decode()}'


def figure_uri(figure: Figure) -> str:
    """A chart as SVG, which stays sharp at any size; equal charts, equal bytes."""
    file = io.BytesIO()
    with matplotlib.rc_context({'svg.hashsalt': 'report'}):
        figure.savefig(file, format='svg', metadata={'Date': None, 'Creator': None})
    return data_uri(file.getvalue(), '.svg')
