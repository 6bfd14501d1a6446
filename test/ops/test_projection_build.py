"""The projection loss with the compiled extension and without: compiled and exported whole, its absence explained."""

import importlib.util
import subprocess
import sys

import pytest

COMPILED = """
import torch
from pose_regressor.ops.projection import projection_loss
generator = torch.Generator().manual_seed(0)
points = torch.rand(50, 3, generator=generator) - 0.5
camera = torch.tensor([[10.0, 0, 8], [0, 10, 8], [0, 0, 1]])
eye, ahead = torch.eye(3)[None], torch.tensor([[0.0, 0, 2]])
def loss(translation):
    return projection_loss(points, eye, translation, eye, ahead, camera, (16, 16))
values = []
for call in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
    moved = (ahead + 0.2).requires_grad_()
    value = call(moved)
    value.sum().backward()
    values.append(torch.cat([value.detach(), moved.grad[0]]))
assert torch.equal(*values) and (values[0] != 0).all(), values
class Module(torch.nn.Module):
    def forward(self, translation):
        return loss(translation)
exported = torch.export.export(Module(), (ahead + 0.2,))
assert torch.equal(exported.module()(ahead + 0.2), values[0][:1])
print(any("pose_regressor_cuda" in str(node.target) for node in exported.graph.nodes))
"""


#: What a process runs first that has no extension: what an import of it then raises is an ImportError.
WITHOUT_EXTENSION = """
import logging, sys
sys.modules["pose_regressor_cuda"] = None
logging.basicConfig(level=logging.INFO, format="%(message)s")
"""


def test_it_can_be_compiled_and_exported_whole(capsys):
    exec(COMPILED, {})
    has_extension = importlib.util.find_spec("pose_regressor_cuda") is not None
    assert capsys.readouterr().out.strip() == str(has_extension)


@pytest.mark.slow
def test_so_can_the_reference_and_a_missing_build_is_explained_once():
    script = WITHOUT_EXTENSION + COMPILED
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "False"
    assert result.stderr.count("the torch reference is used on cpu") == 1
    assert "pip install ./cuda_ext" in result.stderr
