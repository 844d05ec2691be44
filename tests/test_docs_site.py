"""The pages of the site: all of them are in mkdocs.yml, links become right."""

import re

import pytest

from tests.helpers import ROOT

pytest.importorskip('mkdocs', reason="the site needs pip install '.[docs]'")

from mkdocs.config import load_config  # noqa: E402

CONFIG = load_config(str(ROOT / 'mkdocs.yml'))
# as MkDocs itself loads a hook
PAGES = CONFIG.hooks['tools/site_pages.py']


def leaves(nav):
    """The files of a navigation."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [leaf for part in parts for leaf in leaves(part)]


def test_every_page_is_in_the_navigation_once():
    docs = ROOT / 'docs'
    written = [path.relative_to(docs).as_posix() for path in docs.rglob('*.md')]
    assert sorted(leaves(CONFIG.nav)) == sorted([*written, *PAGES.OUTSIDE])


def test_every_module_has_its_documentation():
    named = set()
    for page in (ROOT / 'docs/api').glob('*.md'):
        named.update(re.findall(r'^!modules (\S+)$', page.read_text(), re.MULTILINE))
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for path in (ROOT / 'ssvad').rglob('[!_]*.py')
    }
    assert named == folders


def test_a_folder_stands_for_its_modules():
    text = PAGES.list_modules('# a\n\n!modules ssvad/models/backbones\n')
    modules = text.split('# a\n\n')[1].split()
    files = (ROOT / 'ssvad/models/backbones').glob('[!_]*.py')
    expected = sorted(f'ssvad.models.backbones.{file.stem}' for file in files)
    assert modules == [word for name in expected for word in (':::', name)]
    with pytest.raises(ValueError, match='no modules in ssvad/nothing'):
        PAGES.list_modules('!modules ssvad/nothing')


SITE = {'docs/methods.md', 'docs/api/semi.md', 'docs/a.png', 'configs/README.md'}


@pytest.mark.parametrize(
    'source, text, expected',
    [
        # between pages of docs/ nothing changes
        ('docs/faq.md', '[a](methods.md)', '[a](methods.md)'),
        ('docs/faq.md', '[a](methods.md#x)', '[a](methods.md#x)'),
        ('docs/api/semi.md', '[a](../methods.md)', '[a](../methods.md)'),
        ('docs/faq.md', '[a](#x) [b](https://c.d)', '[a](#x) [b](https://c.d)'),
        ('docs/faq.md', '![a](a.png)', '![a](a.png)'),
        # into docs/ and out of it
        ('docs/faq.md', '[a](../configs/README.md#x)', '[a](configs/README.md#x)'),
        ('configs/README.md', '[a](../docs/methods.md)', '[a](../methods.md)'),
        ('configs/README.md', '[a](../docs/api/semi.md#y)', '[a](../api/semi.md#y)'),
        # what is in the repository and not in the site
        ('docs/faq.md', 'see [a b](../data_lists/ucf24).', 'see a b.'),
        ('docs/faq.md', '[a](../tools/train.py)', 'a'),
        # what is nowhere is left for MkDocs to complain about
        ('docs/faq.md', '[a](nothing.md)', '[a](nothing.md)'),
        ('docs/faq.md', '[a](../nothing.py)', '[a](../nothing.py)'),
    ],
)
def test_links_are_translated(source, text, expected):
    assert PAGES.translate(text, source, SITE) == expected


def test_docstrings_lose_what_only_sphinx_reads():
    html = '<p>See :func:<code>~a.b.c</code> and :class:<code>D</code>, thus ::</p>'
    expected = '<p>See <code>c</code> and <code>D</code>, thus:</p>'
    assert PAGES.on_page_content(html, None, None, None) == expected


def test_nothing_is_fetched():
    assert CONFIG.theme['font'] is False and CONFIG.strict
    plugins = {'material/search', 'mkdocstrings', 'tools/site_pages.py'}
    assert set(CONFIG.plugins) <= {*plugins, 'autorefs'}
    for name in ('extra_css', 'extra_javascript'):
        assert not any('//' in str(path) for path in CONFIG[name])
