import numpy as np
import pytest

from ssvad.annotations import save_annotations
from tests.evaluation.samples import CLASSES, evaluate, two_actors


def write(folder, label):
    def video(name):
        tubes = [
            dict(
                label=label, start=3, boxes=np.tile([2.0, 4, 14, 16], (20, 1)).tolist()
            )
        ]
        size = dict(width=48, height=48, num_frames=43)
        return dict(id=name, file=f'{name}.mp4', tubes=tubes, **size)

    path = folder / 'annotations.json'
    save_annotations(path, CLASSES, [video(name) for name in ('a', 'b', 'c')])
    (folder / 'test.txt').write_text('b\na\n')
    return dict(ann_file=str(path), split_file=str(folder / 'test.txt'))


@pytest.fixture
def files(tmp_path):
    return write(tmp_path, label=1)


def test_a_video_that_never_came_is_missed(files):
    metrics = evaluate([two_actors('a')], **files)
    # 45 boxes of a are found, 20 of b are not
    assert metrics['stad/frame_mAP@0.50'] == pytest.approx(100 * 45 / 65)
    assert metrics['stad/frame_err_missed'] == pytest.approx(100 * 20 / 65)
    assert metrics['stad/video_mAP@0.50'] == pytest.approx(100 * 2 / 3)
    assert metrics['stad/video_acc'] == 50
    assert metrics['stad/capsule_v_mAP@0.50'] == 100


def test_the_class_of_a_missed_video_is_never_right(tmp_path):
    # no scores at all must not read as class 0
    right = two_actors('a', label=0, scores=np.tile([1.0, 0, 0], (6, 1)))
    assert evaluate([right], **write(tmp_path, label=0))['stad/video_acc'] == 50


def test_a_complete_evaluation_is_unchanged(files):
    samples = [two_actors('a'), two_actors('b')]
    assert evaluate(samples, **files) == evaluate(samples)


def test_without_a_list_all_videos_are_expected(files):
    metrics = evaluate([two_actors('a')], ann_file=files['ann_file'])
    assert metrics['stad/frame_mAP@0.50'] == pytest.approx(100 * 45 / 85)


def test_nothing_came_at_all(files):
    assert evaluate([], **files)['stad/frame_err_missed'] == 100


def test_strangers_are_refused(files):
    with pytest.raises(ValueError, match="1 videos are not in .*test.txt.*'c'"):
        evaluate([two_actors('c')], **files)
    with pytest.raises(ValueError, match='needs ann_file'):
        evaluate([], split_file=files['split_file'])
