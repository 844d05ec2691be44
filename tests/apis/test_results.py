import numpy as np

from ssvad.apis.results import plain_tubes
from ssvad.evaluation.tubes import Tube


def test_actors_are_numbered_as_they_appear():
    late, early, weak = (np.tile([0.0, 0, n, 9], (3, 1)) for n in (5, 6, 7))
    tubes = [
        Tube(0, 1, 8, late, 0.9),
        Tube(0, 0, 2, early, 0.7),
        Tube(0, 0, 8, late, 0.6),
        Tube(0, 1, 2, weak, 0.5),
    ]
    found = plain_tubes(tubes, ['a', 'b'])
    assert [tube['id'] for tube in found] == [2, 0, 2, 1]
    assert [tube['class'] for tube in found] == ['b', 'a', 'a', 'b']
    assert found[0]['boxes'] == [[0, 0, 5, 9]] * 3
    assert plain_tubes(tubes[:1], [])[0]['class'] == 'class 1'
