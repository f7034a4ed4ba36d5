"""Limited-memory BFGS (Nocedal 1980) in float32; importing scipy's takes longer than running this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

#: x → (value, gradient).
Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


def minimise(
    objective: Objective,
    start: np.ndarray,
    *,
    iterations: int,
    tolerance: float = 1e-5,
    remembered: int = 10,
    each: Callable[[np.ndarray, float], object] | None = None,
) -> np.ndarray:
    """Find a minimum of a smooth convex function.

    Args:
        objective: returns value and gradient at a float32 vector.
        start: float32 ``(n,)``.
        iterations: maximum number of steps.
        tolerance: stop when a step gains less than this share of the value.
        remembered: number of latest (step, change of gradient) pairs that approximate the curvature.
        each: called with the vector and its value after each step.

    Returns:
        float32 ``(n,)``, never worse than ``start``.
    """
    x: np.ndarray = start.astype(np.float32)
    value, gradient = objective(x)
    pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=remembered)
    for _ in range(iterations):
        direction = -_inverse_hessian(pairs, gradient)
        slope = float(gradient @ direction)
        if slope >= 0:  # rounding errors: restart along the steepest descent
            pairs.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        length = 1.0 if pairs else 1.0 / max(float(np.linalg.norm(gradient)), 1e-12)
        for _attempt in range(25):
            following = x + np.float32(length) * direction
            next_value, next_gradient = objective(following)
            if next_value <= value + 1e-4 * length * slope:
                break
            length /= 2
        else:
            return x
        step, change = following - x, next_gradient - gradient
        curvature = float(step @ change)
        if curvature > 1e-10:
            pairs.append((step, change, curvature))
        gained = value - next_value
        x, value, gradient = following, next_value, next_gradient
        if each is not None:
            each(x, value)
        if gained < tolerance * max(abs(value), 1e-6):
            break
    return x


def _inverse_hessian(pairs: deque[tuple[np.ndarray, np.ndarray, float]], gradient: np.ndarray) -> np.ndarray:
    """Two-loop recursion: multiply the gradient by the inverse Hessian that the pairs approximate."""
    result = gradient.copy()
    shares = []
    for step, change, curvature in reversed(pairs):
        share = np.float32(float(step @ result) / curvature)
        result -= share * change
        shares.append(share)
    if pairs:
        step, change, curvature = pairs[-1]
        result *= np.float32(curvature / float(change @ change))
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        result += step * (share - np.float32(float(change @ result) / curvature))
    return result
