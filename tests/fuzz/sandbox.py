"""Runs readers of strange files where they can neither hang nor fill the memory."""

import contextlib
import faulthandler
import io
import multiprocessing
import resource
import runpy
import signal
import sys
import traceback
from collections import Counter
from pathlib import Path

from tests.helpers import ROOT

# of processor time for one file: other tests may have the processor
SECONDS, PATIENCE = 20, 300
MEGABYTES = 1024
LONGEST = 2000
COUNTS = Counter()


class Worker:
    """A process that outlives what it reads, unless that kills it."""

    def __init__(self):
        fork = multiprocessing.get_context('fork')
        self.pipe, far = fork.Pipe()
        self.process = fork.Process(target=_serve, args=(far, self.pipe))
        self.process.start()
        far.close()

    def ask(self, act, args):
        self.pipe.send((act, args))
        if not self.pipe.poll(PATIENCE):
            self.process.kill()
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            return 'died', self.process.exitcode

    def end(self):
        self.pipe.close()
        self.process.join()


WORKERS = []


def attempt(reader, act, args, *names):
    """What ``act(*args)`` returns in another process, None if it refuses the file.

    An AssertionError says what is wrong if it dies, hangs, takes more memory than
    there should be, or complains in another way than by a ValueError or OSError of
    one line with one of ``names`` in it. ``act`` is a function of a module.
    """
    if not WORKERS:
        WORKERS.append(Worker())
    kind, found = WORKERS[0].ask(act, args)
    if kind == 'died':
        WORKERS.clear()
        why = signal.Signals(-found).name if found < 0 else f'status {found}'
        raise AssertionError(f'{reader}: died by {why} (SIGPROF, SIGKILL: it hangs)')
    COUNTS[reader, kind] += 1
    if kind == 'loaded':
        return found
    polite, message, trace = found
    assert polite, f'{reader}: {trace}'
    assert any(str(name) in message for name in names), f'{reader}: no name: {message}'
    assert len(message.strip().splitlines()) == 1, f'{reader}: lines: {message}'
    assert len(message) < LONGEST, f'{reader}: long: {message}'
    return None


def tool(name, *arguments):
    """Run a tool as a script; a ValueError says what it says when it leaves.

    Raises:
        RuntimeError: it does not leave with a status, but with a traceback.
    """
    sys.argv = [name, *map(str, arguments)]
    tools = str(ROOT / 'tools')
    sys.path[:] = [tools, *(entry for entry in sys.path if entry != tools)]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            with contextlib.redirect_stderr(said):
                runpy.run_path(f'{tools}/{name}', run_name='__main__')
    except SystemExit as left:
        if isinstance(left.code, str):
            raise ValueError(left.code) from left
        if left.code:
            raise ValueError(said.getvalue()) from left
    except Exception as error:
        raise RuntimeError(f'{name}: a traceback') from error
    return True


def _serve(pipe, near):
    # so that the other end is closed when the tests are over, however they end
    near.close()
    faulthandler.disable()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path('/proc/self/statm')
    # elsewhere the system's own limits must do
    if statm.is_file():
        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        limit = used + MEGABYTES * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while True:
        try:
            act, args = pipe.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            answer = 'loaded', act(*args)
        except Exception as error:
            polite = isinstance(error, (ValueError, OSError))
            answer = 'refused', (polite, str(error), traceback.format_exc())
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(answer)
