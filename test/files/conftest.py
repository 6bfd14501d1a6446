"""Bad files are InputErrors of one line."""

import pytest

from pose_regressor.types import InputError


@pytest.fixture
def error_of():
    """A function that calls another, which must raise an InputError of one line, and returns that line."""

    def error_of(function, *arguments) -> str:
        with pytest.raises(InputError) as caught:
            function(*arguments)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return error_of
