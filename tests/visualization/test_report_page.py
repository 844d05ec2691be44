"""The page of a report: whatever names say, they stay names."""

import math
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from ssvad.visualization.report_page import (
    Code,
    Facts,
    Gallery,
    Note,
    Numbers,
    Page,
    Picture,
    Section,
    Table,
    cell_text,
    data_uri,
    figure_uri,
    render_page,
)

HOSTILE = (
    '<script>alert(1)</script>',
    '</style><script>alert(1)</script>',
    '" onerror="alert(1)',
    "' onload='alert(1)",
    '</pre></details></title>',
    '{{ 7 * 7 }}{% raw %}',
    '<!-- ',
    '&lt;b&gt;&amp;',
    'javascript:alert(1)',
)
IMAGE = data_uri(b'0', '.png')
VIDEO = data_uri(b'0', '.mp4')


class Parsed(HTMLParser):
    """Tags with their attributes' names, and the text between them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.values = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        self.tags.append(f'/{tag}')

    def handle_comment(self, data):
        self.tags.append('comment')

    def handle_data(self, data):
        self.texts.append(data)


def page_with(text):
    """A page with the text at every place that text can have."""
    blocks = [
        Note(text, 'warning'),
        Facts([(text, 'x'), ('x', text)]),
        Numbers([(text, 1.0)]),
        Table({text: [text], 'other': [text]}, text),
        Table({'other': [text]}, text, folded=True),
        Picture(IMAGE, text, (text,), text),
        Gallery(text, text, [Picture(VIDEO, text, (text,), text)], wide=True),
        Code(text, text),
    ]
    return render_page(Page(text, text, [Section('a', text, blocks, 'capsule')], text))


@pytest.mark.parametrize('text', HOSTILE)
def test_hostile_text_is_shown_and_nothing_else(text):
    check_text(text)


@settings(deadline=None, max_examples=25)
@given(
    st.text(st.characters(codec='utf-8', exclude_categories=['Cc']), min_size=1).filter(
        str.strip
    )
)
def test_text_never_changes_the_structure(text):
    check_text(text)


def check_text(text):
    plain, found = Parsed(page_with('x')), Parsed(page_with(text))
    # names of metrics may break after their signs, and long facts have their own line
    assert [t for t in found.tags if t[0] != 'wbr' and t != ('div', ('class',))] == [
        t for t in plain.tags if t[0] != 'wbr' and t != ('div', ('class',))
    ]
    whole = ''.join(found.texts)
    assert whole.count(text) >= 13
    assert {value for tag, name, value in found.values if name == 'alt'} == {text}


def test_the_page_asks_for_nothing():
    found = Parsed(page_with('x'))
    assert 'script' not in {tag[0] for tag in found.tags}
    for tag, name, value in found.values:
        if name in ('src', 'href', 'poster', 'srcset', 'action', 'data'):
            assert value.startswith(('data:', '#')), (tag, value)
        assert not name.startswith('on')
    policy = next(v for _, name, v in found.values if 'default-src' in str(v))
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;")
    assert '@import' not in page_with('x') and 'url(' not in page_with('x')


def test_links_lead_to_sections():
    found = Parsed(page_with('x'))
    assert ('section', 'id', 'a') in found.values and (
        'a',
        'href',
        '#a',
    ) in found.values


@pytest.mark.parametrize(
    'value, text',
    [(None, '–'), (math.nan, '–'), (1 / 3, '0.33'), (12, '12'), ('a', 'a')],
)
def test_cells(value, text):
    assert cell_text(value) == text


def test_facts_that_are_not_known_are_left_out_and_zero_is_known():
    facts = Facts([('a', ''), ('b', 0), ('c', None), ('d', 'x' * 41)])
    assert facts.known == [
        ('b', '0', False),
        ('c', '–', False),
        ('d', 'x' * 41, True),
    ]


def test_files_of_other_kinds_are_refused():
    with pytest.raises(KeyError):
        data_uri(b'', '.html')


def test_equal_charts_give_equal_bytes():
    def draw():
        figure = Figure()
        figure.subplots().plot([0, 1])
        return figure_uri(figure)

    assert draw() == draw() and draw().startswith('data:image/svg+xml;base64,')
