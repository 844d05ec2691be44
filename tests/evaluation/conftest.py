import sys

from tests.helpers import ROOT

# the linkers of other evaluators are tools; last, because a tool is called test.py
sys.path.append(str(ROOT / 'tools'))
