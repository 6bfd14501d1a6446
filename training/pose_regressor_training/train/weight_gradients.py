"""Gradients of convolutions' weights, computed by a second thread while the first goes on to the layers before.

torch lets all threads share each layer's backward pass. On a CPU the gradients of weights then wait at barriers inside
oneDNN, and they wait by spinning: if anything else takes one of the cores for a moment, such as a process that makes
images, the others burn that time. No layer needs the gradient of another one's weights. So one thread can compute all
of them, one after another, beside the thread that computes the gradients of the maps. Both take about as long.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_NO_DILATION, _NO_PADDING = (1, 1), (0, 0)


class WeightGradients(TorchFunctionMode):
    """Convolutions within the block leave the gradients of their weights to the second thread.

    precision: of the convolutions

    After each backward pass, call `collect`. Only convolutions of parameters that need gradients, without dilation and
    groups and with a padding in numbers, are handled; all others are computed as usual.
    """

    def __init__(self, precision: torch.dtype) -> None:
        super().__init__()
        self.precision = precision
        self._second = ThreadPoolExecutor(1, "weight gradients", torch.set_num_threads, (1,))
        self._running: list[tuple[nn.Parameter, Future[Tensor]]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.conv2d and not kwargs and len(args) == 7:
            image, weight, bias, stride, padding, dilation, groups = args
            usual = (dilation, groups) == (_NO_DILATION, 1) and not isinstance(padding, str)
            if isinstance(weight, nn.Parameter) and weight.requires_grad and usual:
                return _Convolution.apply(image, weight, bias, stride, padding, self)
        return func(*args, **(kwargs or {}))

    def later(self, weight: nn.Parameter, *arguments: Any) -> None:
        """Let the second thread compute the gradient of a weight. arguments: of `_gradient`."""
        self._running.append((weight, self._second.submit(_gradient, *arguments)))

    def collect(self) -> None:
        """Wait for all gradients, and add them to those of the parameters."""
        running, self._running = self._running, []  # an error must not come back in the next step
        for weight, gradient in running:
            value = gradient.result().to(weight.dtype)
            weight.grad = value if weight.grad is None else weight.grad.add_(value)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, image: Tensor, weight: nn.Parameter, bias: Tensor | None, stride: Any, padding: Any, side: Any
    ) -> Tensor:
        ctx.weight, ctx.stride, ctx.padding, ctx.side, ctx.dtype = weight, stride, padding, side, image.dtype
        image, cast = image.to(side.precision), weight.detach().to(side.precision)
        ctx.save_for_backward(image, cast)
        return torch.conv2d(image, cast, None if bias is None else bias.to(side.precision), stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        image, cast = ctx.saved_tensors
        ctx.side.later(ctx.weight, gradient, image, cast, ctx.stride, ctx.padding)
        to_image, _, to_bias, *_ = ctx.needs_input_grad
        below = _backward(gradient, image, cast, ctx.stride, ctx.padding, True)[0].to(ctx.dtype) if to_image else None
        return below, None, gradient.sum((0, 2, 3), dtype=torch.float32) if to_bias else None, None, None, None


def _gradient(gradient: Tensor, image: Tensor, weight: Tensor, stride: Any, padding: Any) -> Tensor:
    return _backward(gradient, image, weight, stride, padding, False)[1]


def _backward(gradient: Tensor, image: Tensor, weight: Tensor, stride: Any, padding: Any, of_image: bool) -> Any:
    return torch.ops.aten.convolution_backward(
        gradient, image, weight, None, stride, padding, _NO_DILATION, False, _NO_PADDING, 1,
        (of_image, not of_image, False),
    )  # fmt: skip
