"""What tools/report.py reads from the logs of a training."""

import json

import report_logs as logs
from tests.tools.report_world import write_log


def steps(entries):
    return [entry['step'] for entry in entries]


def test_a_training_without_logs(tmp_path):
    assert logs.read_history(tmp_path) == ([], [], {}, [], 0)


def test_numbers_of_one_start(tmp_path):
    write_log(tmp_path, '20260101_000000', range(1, 13))
    found = logs.read_history(tmp_path)
    assert steps(found.train) == list(range(1, 13))
    assert steps(found.evaluations) == [1, 2, 3]
    assert found.evaluations[1]['stad/frame_mAP@0.50'] == 52
    assert found.starts == ['20260101_000000'] and found.damaged == 0


def test_what_a_later_start_repeats_replaces_the_earlier(tmp_path):
    write_log(tmp_path, '20260101_000000', range(1, 12))
    # resumed from the end of the first epoch
    write_log(tmp_path, '20260102_000000', range(5, 9), value=70)
    found = logs.read_history(tmp_path)
    assert steps(found.train) == list(range(1, 9))
    values = [entry['stad/frame_mAP@0.50'] for entry in found.evaluations]
    assert values == [51, 72]
    assert len(found.starts) == 2


def test_evaluations_of_what_is_done_over_again_are_gone_at_once(tmp_path):
    write_log(tmp_path, '20260101_000000', range(1, 13))
    # killed in the second epoch, before its evaluation
    write_log(tmp_path, '20260102_000000', range(5, 8))
    found = logs.read_history(tmp_path)
    assert steps(found.train) == list(range(1, 8)) and steps(found.evaluations) == [1]


def test_a_later_start_that_goes_on_keeps_the_earlier(tmp_path):
    write_log(tmp_path, '20260101_000000', range(1, 9))
    write_log(tmp_path, '20260102_000000', range(9, 13))
    write_log(tmp_path, '20260103_000000', range(0))  # a test writes an empty one
    found = logs.read_history(tmp_path)
    assert steps(found.train) == list(range(1, 13))
    assert steps(found.evaluations) == [1, 2, 3] and len(found.starts) == 2


def test_torn_and_foreign_lines_are_counted_and_left_out(tmp_path):
    path = write_log(tmp_path, '20260101_000000', range(1, 5))
    bad = ['{"lr": 1, "st', '[1]', '"text"', '{"loss": 1}', '{"step": "1"}', '[' * 9999]
    path.write_text(path.read_text() + '\n\n' + '\n'.join(bad))
    found = logs.read_history(tmp_path)
    assert steps(found.train) == [1, 2, 3, 4] and found.damaged == len(bad)


def test_nan_is_a_number_and_text_is_none(tmp_path):
    path = tmp_path / '1/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('{"lr": NaN, "exp_name": "x", "flag": true, "step": 1}\n')
    (entry,) = logs.read_history(tmp_path).train
    assert set(entry) == {'lr', 'step'} and entry['lr'] != entry['lr']


def test_metrics_of_the_newest_test(tmp_path):
    for name, value in (('20260101_000000', 1), ('20260103_000000', 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f'{name}.json').write_text(json.dumps({'stad/x': value}))
    (tmp_path / 'report_test').mkdir()
    (tmp_path / 'report_test/evaluation.json').write_text('{"stad/x": 9}')
    found = logs.read_history(tmp_path)
    assert found.test == {'stad/x': 3} and found.damaged == 0
    (tmp_path / name / f'{name}.json').write_text('{')
    found = logs.read_history(tmp_path)
    assert found.test == {'stad/x': 1} and found.damaged == 1


def test_curves_have_the_steps_at_which_there_are_values():
    entries = [{'step': 1, 'a': 5}, {'step': 2}, {'step': 3, 'a': 7, 'b': 1}]
    curves = logs.curves_of(entries, ['b', 'a', 'c'])
    assert curves == {'b': ([3], [1]), 'a': ([1, 3], [5, 7])}
    assert logs.keys_of(entries) == ['step', 'a', 'b']
