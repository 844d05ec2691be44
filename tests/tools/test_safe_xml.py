"""XML of strangers cannot expand, name other files, or be endless."""

from xml.etree import ElementTree

import pytest

from conversion.safe_xml import read_xml

LAUGHS = '<!DOCTYPE lolz [<!ENTITY lol0 "lol">{}]><annotations>&lol{};</annotations>'


def laughs(levels):
    entities = (
        f'<!ENTITY lol{i} "{f"&lol{i - 1};" * 10}">' for i in range(1, levels + 1)
    )
    return LAUGHS.format(''.join(entities), levels)


BAD = {
    'a billion laughs': laughs(9),
    # so few that expat itself would let them pass
    'ten laughs': laughs(1),
    'blown up': f'<!DOCTYPE a [<!ENTITY a "{"a" * 9999}">]><a>{"&a;" * 99}</a>',
    'another file': '<!DOCTYPE a [<!ENTITY a SYSTEM "secret.txt">]><a>&a;</a>',
    'outer document type': '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
    'parameter': '<!DOCTYPE a [<!ENTITY % p SYSTEM "secret.txt">%p;]><a/>',
    'harmless': '<!DOCTYPE a><a/>',
}


@pytest.mark.parametrize('name', BAD)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
def test_document_types_are_refused_before_they_are_read(tmp_path, name, encoding):
    (tmp_path / 'secret.txt').write_text('secret')
    path = tmp_path / 'a.xml'
    path.write_text(f'<?xml version="1.0"?>\n{BAD[name]}', encoding=encoding)
    with pytest.raises(ValueError, match='a.xml: it has a DOCTYPE .* refused'):
        read_xml(path, 1)


def test_few_laughs_would_have_passed(tmp_path):
    """What expat alone does; if it once refuses these too, the better."""
    (tmp_path / 'a.xml').write_text(BAD['ten laughs'])
    assert ElementTree.parse(tmp_path / 'a.xml').getroot().text == 'lol' * 10


def test_entities_without_a_document_type_do_not_exist(tmp_path):
    (tmp_path / 'a.xml').write_text('<a>&lol;</a>')
    with pytest.raises(ElementTree.ParseError, match='undefined entity'):
        read_xml(tmp_path / 'a.xml', 1)


def test_size_is_limited(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text('<a>' + ' ' * 2000 + '</a>')
    assert read_xml(path, 0.01).tag == 'a'
    with pytest.raises(ValueError, match=r'a.xml: 0.0 MB, expected at most 0.001 MB'):
        read_xml(path, 0.001)


def test_deep_nesting_is_survived(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text('<a>' * 50_000 + '</a>' * 50_000)
    assert sum(1 for _ in read_xml(path, 1).iter()) == 50_000


def test_names_lose_their_namespaces_and_texts_stay(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text(
        '<?xml version="1.0" encoding="latin1"?><a xmlns="urn:x" xmlns:d="urn:y">'
        '<!-- c --><d:b name="\xe4">&lt;\xe9&#33;</d:b></a>',
        encoding='latin1',
    )
    root = read_xml(path, 1)
    assert (root.tag, root[0].tag) == ('a', 'b')
    assert (root[0].get('name'), root[0].text) == ('\xe4', '<\xe9!')


@pytest.mark.parametrize('raw', [b'', b'<a>', b'<a></b>', b'text', b'\0' * 9])
def test_other_files_are_no_xml(tmp_path, raw):
    (tmp_path / 'a.xml').write_bytes(raw)
    with pytest.raises(ElementTree.ParseError):
        read_xml(tmp_path / 'a.xml', 1)


def test_unknown_encoding_is_refused(tmp_path):
    (tmp_path / 'a.xml').write_text('<?xml version="1.0" encoding="klingon"?><a/>')
    with pytest.raises((ValueError, ElementTree.ParseError), match='encoding'):
        read_xml(tmp_path / 'a.xml', 1)
