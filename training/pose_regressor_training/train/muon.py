"""The optimizer: Muon for the matrices of the hidden layers, AdamW for everything else.

Adam scales each weight by itself. Muon treats the weights of a layer as a matrix and makes a step of the same size in
all of its directions, also in those to which few images contribute. Networks leave their first plateau after far fewer
images with it (docs/accuracy.md).

Muon is Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024. The size of a step, by which Muon
takes AdamW's learning rates, is from Liu et al., Muon is Scalable for LLM Training, 2025, eq. 4.

torch has an optimizer of this name since 2.9, but only for matrices, not for the filters of convolutions.

On a CPU the search for the orthogonal matrices took a sixth of a training. Three things make it cheaper here:

1. The matrix is scaled by a closer bound of its largest singular value, so four steps do what five did.
2. Two steps at a time work on the small square matrix of products of rows, and touch the wide matrix once.
3. Small matrices go together, padded with zeros: zeros change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

#: Newton-Schulz iteration: PAIRS x 2 steps of this quintic, which is steep at 0, bring all singular values between 0.7
#: and 1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
PAIRS = 2
#: Matrices with no more rows (or columns, if those are fewer) share their arithmetic.
SMALL = 64
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
        if not learnt:
            return
        parameters, gradients = (list(tensors) for tensors in zip(*learnt, strict=True))
        for p in parameters:
            if not self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        momenta = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)  # Nesterov's
        directions = all_orthogonalised([_in_rows(value).flatten(1) for value in ahead], self.precision)
        torch._foreach_mul_(parameters, 1 - lr * weight_decay)
        for p, direction in zip(parameters, directions, strict=True):
            rows = _in_rows(p)
            rows.add_(direction.view_as(rows), alpha=-lr * STEP_SIZE * max(direction.shape) ** 0.5)

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


def _in_rows(weight: Tensor) -> Tensor:
    """The weights as (N, ..., C): a view that is contiguous if the layout is channels_last."""
    return weight.movedim(1, -1)


def all_orthogonalised(matrices: list[Tensor], precision: torch.dtype = torch.float32) -> list[Tensor]:
    """Each of the matrices with all singular values brought near 1, float32."""
    wide = [matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix for matrix in matrices]
    results: list[Tensor] = [torch.empty(0)] * len(wide)
    together: dict[int, list[int]] = {}
    for number, matrix in enumerate(wide):
        if len(matrix) > SMALL:
            results[number] = orthogonalised(matrix, precision)
        else:
            together.setdefault(-(-len(matrix) // 32), []).append(number)
    for numbers in together.values():
        height, width = (max(wide[number].shape[side] for number in numbers) for side in (0, 1))
        stack = wide[numbers[0]].new_zeros((len(numbers), height, width), dtype=precision)
        for room, number in zip(stack, numbers, strict=True):
            rows, columns = wide[number].shape
            room[:rows, :columns] = wide[number]
        for result, number in zip(orthogonalised(stack, precision), numbers, strict=True):
            rows, columns = wide[number].shape
            results[number] = result[:rows, :columns]
    return [
        result.mT if matrix.shape[0] > matrix.shape[1] else result
        for result, matrix in zip(results, matrices, strict=True)
    ]


def orthogonalised(matrix: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """The matrix (..., N, M) with all singular values brought near 1, float32. N is at most M.

    Of its decomposition U S V^T, this is roughly U V^T.

    A step makes p(X X^T) X of X, where p(G) = a + b G + c G². Two steps are q(p G p) p X, with G = X X^T.
    """
    x = matrix.to(precision).contiguous()
    for pair in range(PAIRS):
        square = x @ x.mT
        if pair == 0:
            # The norm of X X^T bounds the square of the largest singular value, closer than X's own norm does.
            bound = torch.linalg.vector_norm(square, dim=(-2, -1), keepdim=True, dtype=torch.float64).clamp(min=1e-24)
            square = (square / bound).to(precision)
        first = _step(square)
        both = _step(first @ square @ first) @ first
        x = (both / bound.sqrt() if pair == 0 else both).to(precision) @ x
    return x.float()


def _step(square: Tensor) -> Tensor:
    """p(G), for G (..., N, N)."""
    a, b, c = COEFFICIENTS
    product = torch.addmm if square.ndim == 2 else torch.baddbmm
    result = product(square, square, square, beta=b, alpha=c)
    result.diagonal(dim1=-2, dim2=-1).add_(a)
    return result


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
