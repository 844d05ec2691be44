import csv
import json

from ssvad.evaluation.report import (
    ProtocolReport,
    format_table,
    write_json,
    write_reports,
)

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


def test_csv_keeps_every_digit_and_leaves_absent_cells_empty(tmp_path):
    path = tmp_path / 'new/report.json'
    write_reports(path, {'toy': REPORT, 'other': REPORT})
    assert sorted(p.name for p in path.parent.iterdir()) == [
        *('report.json', 'report_other.csv', 'report_toy.csv')
    ]
    with (path.parent / 'report_toy.csv').open(newline='') as file:
        rows = list(csv.reader(file))
    assert rows == [
        ['class', 'AP', 'boxes'],
        ['[run]', '12.345', '10'],
        ['jump', '', '0'],
    ]


def test_many_columns_are_logged_in_tables_that_fit(tmp_path):
    columns = {'class': ['a', 'b'], **{f'column {i}': [1.0, 2.0] for i in range(30)}}
    report = REPORT._replace(per_class=columns)
    lines = report.text().splitlines()[2:]
    assert max(map(len, lines)) <= 160
    heads = [line for line in lines if 'class' in line]
    assert 2 <= len(heads) <= 4
    shown = [c.strip() for line in heads for c in line.strip('|').split('|')]
    assert [name for name in shown if name != 'class'] == list(columns)[1:]
    assert sum(line.startswith('| a') for line in lines) == len(heads)
