"""A process that is asked to end while it starts: modules are imported, a signal comes, the clean-up runs."""

import signal
import subprocess
import sys

import pytest

#: Sends itself the signal in the middle of an import, which is what a busy machine makes likely.
SCRIPT = """
import sys
from pathlib import Path
from pose_regressor.middleware.kit.interrupts import interruptible

Path("slow_module.py").write_text('''
import os, signal, time
os.kill(os.getpid(), int(os.environ["NUMBER"]))
for _ in range(5):
    time.sleep(0.05)  # the signal's handler runs here
loaded = True
''')
sys.path.insert(0, ".")
with interruptible() as stop:
    import slow_module
    print("imported", slow_module.loaded, stop.is_set())
    stop.wait(60)
    print("never")
print("cleaned up", stop.is_set())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_an_import_waits_for_its_end(tmp_path, monkeypatch, number):
    monkeypatch.setenv("NUMBER", str(int(number)))
    ran = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert ran.stdout.splitlines() == ["imported True False", "cleaned up True"]
    assert (ran.returncode, ran.stderr) == (0, "")
