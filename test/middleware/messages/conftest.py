from types import SimpleNamespace

import pytest


class Types:
    """A namespace of message classes, each of which keeps its fields and refuses none."""

    def __getattr__(self, name):
        return type(name, (SimpleNamespace,), {})


@pytest.fixture
def types():
    return Types()
