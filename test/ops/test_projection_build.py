"""The projection loss with the compiled extension and without: compiled and exported whole, its absence explained."""

import importlib.util
import subprocess
import sys

import pytest

WITHOUT_EXTENSION = """
import logging, sys
sys.modules["pose_regressor_cuda"] = None  # what an import of it then raises is an ImportError
"""
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


@pytest.mark.slow
@pytest.mark.parametrize("without", ["", WITHOUT_EXTENSION], ids=["installed", "missing"])
def test_it_can_be_compiled_and_exported_whole(without):
    result = subprocess.run([sys.executable, "-c", without + COMPILED], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    has_extension = importlib.util.find_spec("pose_regressor_cuda") is not None and not without
    assert result.stdout.strip() == str(has_extension)


def test_a_missing_build_is_explained_once():
    script = f"""
{WITHOUT_EXTENSION}
logging.basicConfig(level=logging.INFO, format="%(message)s")
import torch
from pose_regressor.ops.projection import projection_loss
one, ahead = torch.eye(3)[None], torch.tensor([[0.0, 0, 1]])
for _ in range(3):
    print(projection_loss(torch.zeros(1, 3), one, ahead, one, ahead, torch.eye(3), (2, 2)).item())
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["0.0"] * 3
    assert result.stderr.count("the torch reference is used on cpu") == 1
    assert "pip install ./cuda_ext" in result.stderr
