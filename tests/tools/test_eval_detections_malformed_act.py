"""What is wrong with a pickle of ACT or MOC is said with file, index and value."""

import numpy as np
import pytest

import eval_detections as tool
from tests.tools.detection_files import TRUTH, complaint, write_json, write_pickle

ACT_BOXES = np.array([[0, 1, 1, 0.5, 11, 11, 50, 50], [1, 20, 0, 0.5, 11, 11, 50, 50]])
ACT_TUBE = np.array([[2, 11, 11, 50, 50, 0.5], [3, 11, 11, 50, 50, 0.5]])


@pytest.mark.parametrize(
    'row, column, value, message',
    [
        (1, 0, 2, 'row 1: video 2, expected'),
        (1, 1, 21, 'row 1: frame 21, expected'),
        (0, 2, 0.5, 'row 0: class 0.5, expected'),
        (0, 3, np.nan, 'row 0: score nan'),
        (0, 6, 5, r'row 0: box \[11.0, 11.0, 5.0, 50.0\], expected x1 <= x2'),
    ],
)
def test_act_boxes(row, column, value, message, tmp_path, capsys):
    table = ACT_BOXES.copy()
    table[row, column] = value
    path = write_pickle(tmp_path / 'frame_detections.pkl', table)
    err = complaint(capsys, tmp_path, '--boxes', path)
    assert f'{path}: {message}'.replace('\\', '') in err


def act_folder(folder, **change):
    """Two videos of 3 and 20 frames, each detection on two frames."""
    frame = {1: np.zeros((0, 9)), 2: np.array([[11, 11, 50, 50] * 2 + [0.5]])}
    for video, frames in (('a/1', 3), ('b', 20)):
        for number in range(1, frames):
            write_pickle(folder / f'{video}/{number:05d}.pkl', frame)
        write_pickle(folder / f'{video}_tubes.pkl', {0: [], 1: [(ACT_TUBE, 0.5)]})
    for name, data in change.items():
        path = folder / f'a/{name}.pkl'.replace('frame', '1/0000')
        path.unlink()
        if data is not None:
            write_pickle(path, data)
    return folder


def test_act_folder_as_it_should_be(tmp_path, capsys):
    folder = act_folder(tmp_path / 'act')
    truth = write_json(tmp_path / 'truth.json', TRUTH)
    tool.main([str(truth), '--boxes', str(folder), '--tubes', str(folder)])
    assert 'detected boxes: 42\n' in capsys.readouterr().out


@pytest.mark.parametrize(
    'name, data, message',
    [
        ('frame2', None, 'missing, the detections that begin on frame 2'),
        ('frame2', {2: np.zeros((1, 5))}, 'boxes on 1 frames, elsewhere on 2'),
        ('frame2', {2: np.zeros((1, 8))}, 'expected K boxes'),
        ('frame2', {2: np.zeros(9)}, 'class 2: expected an array of numbers of 2 dim'),
        ('frame2', {1: np.zeros((1, 5)), 2: np.zeros((1, 9))}, 'of one K'),
        ('frame2', {}, 'expected a dict with an entry a class'),
        ('frame2', {'run': np.zeros((1, 9))}, 'expected whole numbers as classes'),
        ('frame2', {3: np.ones((1, 9))}, 'row 0: class 2, expected'),
        ('frame2', (np.array([[1, np.nan] + [9] * 8]), 0), 'row 0: score nan'),
        ('1_tubes', None, "missing, the tubes of video 'a/1'"),
        ('1_tubes', {0: 3}, 'class 0: expected a list of tubes, got int'),
        ('1_tubes', {0: [3]}, 'class 0: tube 0: expected (boxes, score), got int'),
        ('1_tubes', {0: [(ACT_TUBE[:, :4], 1.0)]}, 'class 0: tube 0: expected frame'),
        ('1_tubes', {2: [(ACT_TUBE, 1.0)]}, 'class 2: tube 0: box 0: class 2'),
        ('1_tubes', {0: [(ACT_TUBE + 1, 1.0)]}, 'class 0: tube 0: box 1: frame 4'),
        ('1_tubes', {0: [(ACT_TUBE[::-1], 1.0)]}, 'frame 2 does not follow 3'),
        (
            '1_tubes',
            {0: [(ACT_TUBE, [0.5])]},
            'tube 0: expected an array of numbers of 0',
        ),
        ('1_tubes', {0: [(ACT_TUBE, np.nan)]}, 'tube 0: box 0: score nan'),
    ],
)
def test_act_folder(name, data, message, tmp_path, capsys):
    folder = act_folder(tmp_path / 'act', **{name: data})
    kind = '--tubes' if 'tubes' in name else '--boxes'
    err = complaint(capsys, tmp_path, kind, folder)
    assert f'{folder}/a/' in err and message in err
