import os
import sys

import hypothesis

from tests.fuzz.sandbox import COUNTS, WORKERS
from tests.helpers import ROOT

# what a tool finds beside itself; last, because a tool is called test.py
sys.path.append(str(ROOT / 'tools'))

# so many times as many inputs, and other ones each time
TIMES = int(os.environ.get('SSVAD_FUZZ', 0))
if TIMES:
    hypothesis.settings.register_profile(
        'ssvad-fuzz', deadline=None, derandomize=False, print_blob=True
    )
    hypothesis.settings.load_profile('ssvad-fuzz')


def pytest_sessionfinish():
    while WORKERS:
        WORKERS.pop().end()


def pytest_terminal_summary(terminalreporter):
    if not TIMES:
        return
    terminalreporter.section('inputs fuzzed')
    for reader in sorted({reader for reader, _ in COUNTS}):
        loaded, refused = (COUNTS[reader, kind] for kind in ('loaded', 'refused'))
        terminalreporter.line(
            f'{reader:24s} {loaded + refused:7d} inputs, {loaded:7d} read, '
            f'{refused:7d} refused'
        )
