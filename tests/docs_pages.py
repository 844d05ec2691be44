"""The pages of the documentation and the commands in them."""

import re
import shlex

from tests.helpers import ROOT

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        ROOT / 'README.md',
        ROOT / 'CONTRIBUTING.md',
        ROOT / 'configs/README.md',
        *(ROOT / 'docs').rglob('*.md'),
    )
)
# fenced blocks, and indented ones that begin with a program
BLOCK = re.compile(
    r'^```(?:bash|sh|shell|console)\n(.*?)^```'
    r'|^\n((?:    (?:\w+=\S+ )*(?:python|make|pip|mim|git|docker|tools/)\b[^\n]*\n)+)',
    re.DOTALL | re.MULTILINE,
)


def read(page):
    return (ROOT / page).read_text('utf-8')


def blocks(page):
    """The command blocks of a page, in their order."""
    return [
        fenced or re.sub('^    ', '', indented, flags=re.MULTILINE)
        for fenced, indented in BLOCK.findall(read(page))
    ]


def commands(block):
    """Its commands, one a line; what the shell puts in is one word."""
    lines = re.sub(r'\\\n\s*', ' ', block).splitlines()
    lines = [re.sub(r'"?\$\([^)]*\)"?', 'SUBSTITUTED', line) for line in lines]
    return [line for line in lines if shlex.split(line, comments=True)]


def words(command):
    """A command without its assignments, redirections and comments."""
    split = shlex.split(re.sub(r' >+ ?\S+', '', command), comments=True)
    while split and re.match(r'\w+=', split[0]):
        split.pop(0)
    return split
