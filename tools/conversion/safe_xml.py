"""Reading XML that somebody else wrote."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree


class _NoDoctype(ElementTree.TreeBuilder):
    """Stops at a DOCTYPE, before any entity of it is read.

    Entities exist only in a DOCTYPE, so without one nothing can expand (the "billion
    laughs") and nothing outside the file can be named; that does not depend on the
    protections of the installed expat.
    """

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError(
            f"it has a DOCTYPE '{name}', which no annotation tool writes and which "
            'may hide entities; refused'
        )


def read_xml(path: str | os.PathLike, megabytes: float) -> ElementTree.Element:
    """Root of an XML file without DOCTYPE, names without their namespaces.

    Args:
        path: The file.
        megabytes: Largest size that is opened; the tree takes up to 45 times as much.

    Raises:
        ElementTree.ParseError: not well-formed; the message names line and column.
        ValueError: too large, or with a DOCTYPE.
    """
    size = Path(path).stat().st_size
    if size > megabytes * 1e6:
        raise ValueError(
            f'{path}: {size / 1e6:.1f} MB, expected at most {megabytes:g} MB of XML'
        )
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        root = ElementTree.parse(path, parser).getroot()
    # Unknown encodings are lookup errors.
    except (ValueError, LookupError) as error:
        raise ValueError(f'{path}: {error}') from error
    for element in root.iter():
        element.tag = element.tag.rpartition('}')[2]
    return root
