"""Operations, floating-point operations and bytes of a call: the same on any machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class Counted(TorchDispatchMode):
    """Counts operations by name, and the megabytes of results that are not views."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()
        self.megabytes = 0.0
        self.views = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        results = operation(*arguments, **(options or {}))
        if operation.is_view:
            self.views += 1
            return results
        self.operations[str(operation)] += 1
        given = {
            one.untyped_storage().data_ptr()
            for one in tree_leaves((arguments, options))
            if isinstance(one, torch.Tensor)
        }
        for one in tree_leaves(results):
            if isinstance(one, torch.Tensor) and one.untyped_storage().data_ptr() not in given:
                self.megabytes += one.untyped_storage().nbytes() / 1e6
        return results


def counted(call: Callable[[], Any]) -> dict[str, float]:
    """Operations of one call, megabytes of its results, and 1e9 flops of its products of matrices.

    Floating-point operations that are not in a product are not counted.
    """
    with Counted() as count, FlopCounterMode(display=False) as flops:
        call()
    return {
        "gigaflops": flops.get_total_flops() / 1e9,
        "operations": float(count.operations.total()),
        "megabytes": count.megabytes,
    }
