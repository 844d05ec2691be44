from tests.tools.conftest import run, tool  # noqa: F401  (fixtures)
