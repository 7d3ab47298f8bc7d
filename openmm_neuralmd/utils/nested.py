"""One operation on every tensor of a tuple of tensors, or of tuples of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A NamedTuple like `value` whose tensors are changed; a tensor itself is changed."""
    if isinstance(value, Tensor):
        return change(value)
    return type(value)(*(mapped(part, change) for part in value))


def rows(value: Any, index: Tensor) -> Any:
    """These rows of a batch, a row as often as `index` names it."""
    return mapped(value, lambda tensor: tensor.index_select(0, index))
