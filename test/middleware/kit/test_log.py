"""What is logged, how often, and what of it is remembered."""

from types import SimpleNamespace

from pose_regressor.middleware.kit.log import Remembering, Throttle, one_line


def test_throttle_says_how_often(monkeypatch):
    said, now = [], [100.0]
    monkeypatch.setattr("pose_regressor.middleware.kit.log.time", SimpleNamespace(monotonic=lambda: now[0]))
    throttle = Throttle(said.append, period=5.0)
    for _ in range(3):
        throttle("a", "a happened")
    throttle("b", "b happened")
    assert said == ["a happened", "b happened"]
    now[0] += 5.1
    throttle("a", "a happened again")
    assert said[2:] == ["a happened again (3 times since last said)"]


def test_the_last_trouble_is_remembered(log):
    remembering = Remembering(log)
    remembering.info("ready")
    assert remembering.trouble == ""
    remembering.warning("a frame was dropped")
    remembering.error("the network failed")
    remembering.info("going on")
    assert remembering.trouble == "the network failed"
    assert [level for level, _ in log.said] == ["info", "warning", "error", "info"]


def test_an_error_of_several_lines_becomes_one():
    assert one_line(ValueError("out of\n  memory\n")) == "out of memory"
