"""The XML files of THUMOS: what is read, and what is said of the rest."""

import pytest

import convert_ucf24 as tool
from conversion.findings import Findings
from tests.tools import foreign_formats as formats

VIDEO = 'Basketball/v_Basketball_g01'
BOX = [11, 21, 5, 6]


def read(tmp_path, text, video=VIDEO):
    path = tmp_path / f'{video}.xgtf'
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    findings = Findings()
    entries = tool.read_source(path, findings)
    assert list(entries) == [video]
    entry = entries[video]
    tubes = [(t['sf'], t['ef'], t['boxes']) for t in entry['annotations']]
    assert all(t['label'] is None for t in entry['annotations'])
    return tubes, entry['numf'], {k: len(v) for k, v in findings.items()}


def text(acting='3:5', boxes=((3, 5, 10),), name='Basketball', span='1:90'):
    """One person with boxes (first frame, last frame, x) who acts in some frames."""
    values = ''.join(
        f'<data:bvalue framespan="{part}" value="true"/>' for part in acting.split()
    )
    places = ''.join(
        f'<data:bbox framespan="{a}:{b}" height="6" width="5" x="{x}" y="20"/>'
        for a, b, x in boxes
    )
    person = (
        f'<object framespan="{span}" id="0" name="PERSON"><attribute name="Location">'
        f'{places}</attribute><attribute name="{name}">{values}</attribute></object>'
    )
    return formats.XML.format(frames=90, objects=person)


NO_BOX = 'frames of an action without a box'


@pytest.mark.parametrize('kwargs, tubes, found', [
    (dict(), [(2, 5, [BOX] * 3)], {}),
    (dict(name='basketball_shooting'), [(2, 5, [BOX] * 3)], {}),
    (dict(name=' Basket ball'), [(2, 5, [BOX] * 3)], {}),
    # several stretches; those that touch are one
    (dict(acting='3:3 5:5'), [(2, 3, [BOX]), (4, 5, [BOX])], {}),
    (dict(acting='4:5 3:3'), [(2, 5, [BOX] * 3)], {}),
    # fewer boxes than acting, and more
    (dict(acting='1:9'), [(2, 5, [BOX] * 3)], {NO_BOX: 6}),
    (dict(acting='4:4'), [(3, 4, [BOX])], {}),
    (dict(boxes=((3, 3, 10), (5, 5, 12))), [(2, 5, [BOX, BOX, [13, 21, 5, 6]])],
     {NO_BOX: 1}),
    (dict(boxes=((3, 4, 10), (4, 5, 12))), [(2, 5, [BOX, BOX, [13, 21, 5, 6]])],
     {'frames with two boxes, the first is taken': 1}),
    (dict(boxes=((20, 30, 10),)), [], {NO_BOX: 3}),
    (dict(acting=''), [], {}),
    (dict(name='Diving'), [], {}),
])  # fmt: skip
def test_what_becomes_of_a_person(tmp_path, kwargs, tubes, found):
    if not tubes:
        nobody = (
            'persons that do not act, left out',
            'videos in which nobody is said to act',
        )
        found = {**found, **dict.fromkeys(nobody, 1)}
    assert read(tmp_path, text(**kwargs)) == (tubes, 90, found)


def test_names_of_the_predecessor(tmp_path):
    video = 'WalkingWithDog/v'
    assert len(read(tmp_path, text(name='walking'), video)[0]) == 1
    assert len(read(tmp_path, text(name='horse_riding'), 'HorseRiding/v')[0]) == 1


def test_static_box_and_static_value_hold_where_the_person_is(tmp_path):
    raw = text(span='2:4 6:6').replace(' framespan="3:5"', '')
    assert read(tmp_path, raw)[0] == [(1, 4, [BOX] * 3), (5, 6, [BOX])]


def test_only_the_first_source_and_persons_are_read(tmp_path):
    raw = text()
    source = raw[raw.index('<sourcefile') : raw.index('</data>')]
    raw = raw.replace('</data>', source.replace('x="10"', 'x="99"') + '</data>')
    raw = raw.replace('<object', '<object name="BALL" framespan="1:2"/><object', 1)
    raw = raw.replace('<data:dvalue value="90"/>', '<data:dvalue value="0"/>')
    tubes, frames, found = read(tmp_path, raw)
    assert (tubes, frames) == ([(2, 5, [BOX] * 3)], None)
    assert found == {
        'XML files with several sources, the first is read': 1,
        'objects that are no PERSON, left out': 1,
    }


@pytest.mark.parametrize('old, new, message', [
    ('x="10"', 'x="ten"', r"0: <bbox framespan='3:5'>: .* number as x, got 'ten'"),
    ('x="10" ', '', 'expected a number as x, got None'),
    ('<data:bvalue framespan="3:5"', '<data:bvalue framespan="3-5"', "got '3-5'"),
    ('bbox framespan="3:5"', 'bbox framespan="3:5000000"', "got '3:5000000'"),
    ('value="90"', 'value="many"', "number as value, got 'many'"),
    ('sourcefile', 'other', 'expected a ViPER file'),
    ('viper', 'other', 'expected a ViPER file .* got <other>'),
])  # fmt: skip
def test_malformed_values_are_named(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=rf'v_Basketball_g01.xgtf: .*{message}'):
        read(tmp_path, text().replace(old, new))


def test_not_a_number_is_found_by_frame(tmp_path):
    folder = tmp_path / 'Basketball'
    folder.mkdir()
    raw = text(boxes=((3, 3, 10), (4, 5, 'nan')))
    (folder / 'v.xgtf').write_text(raw)
    with pytest.raises(ValueError, match="v.xgtf: video 'B.*/v': tube 0: frame 3: "):
        tool.convert(tool.read_source(folder, Findings()), 'avi', Findings())


def test_files_that_are_not_well_formed_are_left_out_and_named(tmp_path, capsys):
    formats.write_xml_folder(tmp_path / 'xml', formats.EXAMPLE)
    (tmp_path / 'xml/Biking/v_cut.xgtf').write_text(text()[:-30])
    tool.main([str(tmp_path / 'xml'), '--out', str(tmp_path / 'a.json')])
    printed = capsys.readouterr().out
    assert '1 XML files left out, not well-formed: v_cut.xgtf (' in printed
    assert f'3 videos, 3 tubes -> {tmp_path}' in printed


def test_folder_without_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'expected <Class>/<video>.xgtf in it'):
        tool.read_source(tmp_path, Findings())


def test_two_files_of_one_video_are_refused(tmp_path):
    for folder in ('a', 'b'):
        path = tmp_path / folder / f'{VIDEO}.xml'
        path.parent.mkdir(parents=True)
        path.write_text(text())
    with pytest.raises(ValueError, match=f"video '{VIDEO}' has two files"):
        tool.read_source(tmp_path, Findings())
