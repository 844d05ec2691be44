"""docs/determinism.md names the methods that a GPU cannot train deterministically."""

import re

import pytest
from mmengine.logging import MessageHub

from tests.helpers import ROOT
from tests.models.methods import METHODS, batch, build

PAGE = (ROOT / 'docs/determinism.md').read_text('utf-8')
# nodes of a graph for whose CUDA kernels torch.use_deterministic_algorithms raises
REFUSED = re.compile(
    'AvgPool3D|AdaptiveAvgPool|AdaptiveMaxPool|FractionalMaxPool|MaxUnpool|Upsample.*'
    'inear|Upsample.*Bicubic|ReflectionPad|NllLoss|CtcLoss|EmbeddingBag|GridSampler|'
    'Cumsum|PutBackward'
)
ONE_OF_EACH = {case.config['type']: name for name, case in METHODS.items()}


def graph_nodes(tensor):
    """Names of the nodes that its gradient passes."""
    names, seen, waiting = set(), set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        names.add(node.name())
        waiting += [parent for parent, _ in node.next_functions]
    return names


@pytest.fixture(autouse=True)
def end_of_training():
    info = MessageHub.get_current_instance().runtime_info
    info.update(epoch=9, max_epochs=10, iter=90, max_iters=100)
    yield
    info.clear()


@pytest.mark.slow
@pytest.mark.parametrize('kind', ONE_OF_EACH)
def test_page_names_the_kernels_of_each_method(kind):
    name = {'StableMeanTeacher': 'stable mean teacher'}.get(kind, ONE_OF_EACH[kind])
    losses = build(name)(*batch(name, [0, None]), mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    found = {node for node in graph_nodes(total) if REFUSED.search(node)}
    rows = dict(re.findall(r'^\| `(\w+)` \| (.*?) \|', PAGE, re.MULTILINE))
    assert set(re.findall(r'\w+Backward\d', rows[kind])) == found
