"""`--pictures` draws the reference's detections."""

import re
import warnings

import cv2
import pytest

import eval_detections as tool
from tests.evaluation import golden
from tests.helpers import ROOT
from tests.tools.detection_files import NAMES

TRUTH = golden.ROOT / 'gt.npz'
BOXES = '--boxes', golden.ROOT / 'detections.npz'
TUBES = '--tubes', golden.ROOT / 'tubes.npz'
OF_BOXES = {'errors', 'precision_recall_frame'}
OF_TUBES = {'precision_recall_video', 'timelines'}


def draw(folder, *args):
    tool.main([str(arg) for arg in (TRUTH, *args, '--pictures', folder)])
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture
def one_video(tmp_path):
    """Arguments that leave all but one video and its class out."""
    files = tmp_path / 'one.txt', tmp_path / 'all.txt'
    for file, names in zip(files, (NAMES[7:8], NAMES)):
        file.write_text('\n'.join(names) + '\n')
    return '--split', files[0], '--video-list', files[1], '--skip-unknown'


def test_all_pictures_of_all_classes(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = draw(tmp_path / 'new/folder', *BOXES, *TUBES)
    assert set(found) == {'class_ap', *OF_BOXES, *OF_TUBES}
    for path in found.values():
        height, width, _ = cv2.imread(str(path)).shape
        assert 600 <= height <= 1200 and 900 <= width <= 1300
    assert f'pictures in {tmp_path / "new/folder"}' in capsys.readouterr().out


def test_the_page_lists_all_pictures():
    page = (ROOT / 'docs/evaluating_other_detectors.md').read_text('utf-8')
    rows = re.findall(r'^\| `(\w+)\.png` .* \| (\w*) ?\|$', page, re.MULTILINE)
    needs = {'class_ap': '', **dict.fromkeys(OF_BOXES, 'boxes')}
    assert dict(rows) == {**needs, **dict.fromkeys(OF_TUBES, 'tubes')}


@pytest.mark.parametrize(
    'args, expected', [(BOXES, OF_BOXES), (TUBES, OF_TUBES)], ids=['boxes', 'tubes']
)
def test_only_what_was_evaluated_is_drawn(args, expected, one_video, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = draw(tmp_path / 'pictures', *args, *one_video)
    assert set(found) == {'class_ap', *expected}


def test_ranges_have_no_curve(one_video, tmp_path):
    args = *TUBES, *one_video, '--video-thrs', '0.5:0.95:0.05'
    assert set(draw(tmp_path / 'pictures', *args)) == {'class_ap', 'timelines'}


def test_same_files_same_bytes(one_video, tmp_path):
    args = *TUBES, *one_video, '--video-thrs', '0.5:0.95:0.05'
    first, second = (draw(tmp_path / name, *args) for name in 'ab')
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes()


def test_a_file_in_the_way_is_named(one_video, tmp_path, capsys):
    (tmp_path / 'pictures').write_text('')
    with pytest.raises(SystemExit) as caught:
        draw(tmp_path / 'pictures', *TUBES, *one_video)
    assert caught.value.code == 1
    assert str(tmp_path / 'pictures') in capsys.readouterr().err
