"""The optimizer: Muon for the matrices of the hidden layers, AdamW for everything else.

Adam scales each weight by itself. Muon treats the weights of a layer as a matrix and makes a step of the same size in
all of its directions, also in those to which few images contribute. Networks leave their first plateau after far fewer
images with it (docs/accuracy.md).

Muon is Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024. The size of a step, by which Muon
takes AdamW's learning rates, is from Liu et al., Muon is Scalable for LLM Training, 2025, eq. 4.

torch has an optimizer of this name since 2.9, but only for matrices, not for the filters of convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

#: Newton-Schulz iteration: STEPS of this quintic, which is steep at 0, bring all singular values between 0.7 and 1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
#: Root mean square of a step's elements, the same as in AdamW's steps.
STEP_SIZE = 0.2
MOMENTUM = 0.95
EPS = 1e-8


class Muon(torch.optim.Optimizer):
    """Muon and AdamW in one optimizer.

    hidden: weights of two or more dimensions, rows first, which Muon trains
    others: parameters that AdamW trains
    lr, weight_decay, betas: as in AdamW; Muon takes the first of the betas
    precision: of the search for the orthogonal matrix, which needs few digits
    """

    def __init__(
        self,
        hidden: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        betas: tuple[float, float] = (0.9, 0.999),
        precision: torch.dtype = torch.bfloat16,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(hidden), "orthogonal": True},
            {"params": list(others), "orthogonal": False},
        ]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "betas": betas})
        self.precision = precision

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            learnt = [(p, p.grad) for p in group["params"] if p.grad is not None]
            if group["orthogonal"]:
                self._orthogonal_step(learnt, group["lr"], group["weight_decay"])
            elif learnt:
                self._adamw_step(learnt, group["lr"], group["weight_decay"], *group["betas"])
        return loss

    def _orthogonal_step(self, learnt: list[tuple[Tensor, Tensor]], lr: float, weight_decay: float) -> None:
        for p, gradient in learnt:
            state = self.state[p]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(p)
            momentum = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
            ahead = gradient.lerp(momentum, MOMENTUM)  # Nesterov's
            direction = orthogonalised(ahead.flatten(1), self.precision)
            p.mul_(1 - lr * weight_decay)
            p.add_(direction.view_as(p), alpha=-lr * STEP_SIZE * max(direction.shape) ** 0.5)

    def _adamw_step(
        self, learnt: list[tuple[Tensor, Tensor]], lr: float, weight_decay: float, beta1: float, beta2: float
    ) -> None:
        parameters, gradients = (list(tensors) for tensors in zip(*learnt, strict=True))
        for p in parameters:
            if not self.state[p]:
                self.state[p].update(
                    step=torch.zeros((), device=p.device), exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p)
                )
        states = [self.state[p] for p in parameters]
        first, second, steps = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        adamw(
            parameters, gradients, first, second, [], steps, fused=True, amsgrad=False,
            beta1=beta1, beta2=beta2, lr=lr, weight_decay=weight_decay, eps=EPS, maximize=False,
        )  # fmt: skip


def orthogonalised(matrix: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """The matrix (N, M) with all singular values brought near 1, float32.

    Of its decomposition U S V^T, this is roughly U V^T.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.mT if tall else matrix).to(precision).contiguous()
    x = x / (x.norm() + 1e-7)
    for _ in range(STEPS):
        square = x @ x.mT
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).float()


def split(network: nn.Module, first: str) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters that Muon trains, and all others.

    The others are the layer named `first`, which sees pixels, the layers named `out`, which give the answers, and
    whatever is not a matrix: biases and scales.
    """
    hidden: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        layer = name.rpartition(".")[0]
        ends = layer == first or layer.rpartition(".")[2] == "out"
        (others if ends or parameter.ndim < 2 else hidden).append(parameter)
    return hidden, others
