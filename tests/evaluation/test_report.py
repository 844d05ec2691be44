import json

from ssvad.evaluation.report import ProtocolReport, format_table, write_json

REPORT = ProtocolReport(
    'Toy protocol.',
    {'acc': 12.5},
    {'videos': 3},
    {'class': ['[run]', 'jump'], 'AP': [12.345, float('nan')], 'boxes': [10, 0]},
)


def test_table_shows_every_cell_in_text():
    lines = format_table(REPORT.per_class).splitlines()
    rows = [[c.strip() for c in line.strip('|').split('|')] for line in lines[1:-1]]
    assert rows[0] == ['class', 'AP', 'boxes']
    assert rows[2:] == [['[run]', '12.35', '10'], ['jump', '-', '0']]


def test_wide_tables_are_not_cut():
    columns = {'class': ['a'], **{f'column_number_{i}': [1.0] for i in range(20)}}
    assert all(name in format_table(columns) for name in columns)


def test_text_begins_with_the_note():
    assert REPORT.text().startswith('Toy protocol.\nvideos: 3\n')


def test_json_is_strict_and_creates_folders(tmp_path):
    path = tmp_path / 'new/report.json'
    write_json(path, {'toy': REPORT})
    report = json.loads(path.read_text())['toy']
    assert report['metrics'] == {'acc': 12.5}
    assert report['per_class']['AP'] == [12.345, None]
