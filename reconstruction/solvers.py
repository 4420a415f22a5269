"""Least squares under masks: the kept weights of a layer that come closest to given outputs.

Every unit has kept inputs of its own, and so a problem of its own; all read the same inputs and
share the Gram matrix. (Hassibi & Stork, 1993, "Optimal Brain Surgeon", re-fit one weight after the
other; Frantar & Alistarh, 2022, arXiv:2208.11580, unit by unit; Meng et al., 2024,
arXiv:2406.07831, by conjugate gradients.)
"""

import contextlib
from collections.abc import Iterator

import numpy as np

from ..models.arrays import (
    Array,
    in_float64,
    in_type,
    is_numpy,
    is_whole,
    namespace,
    placed_like,
    to_numpy,
)

# Memory for the matrices of units that are solved together.
BATCH_BYTES = 64 * 2**20
# Of up to so many unknowns, systems are solved directly, one by one.
FEW = 64
ITERATIONS = 15
TOLERANCE = 1e-4
# With more inputs, the gradients are computed in float32: that takes half of the time, and ends as
# close as so few of them can.
LARGE = 2000


def least_squares(
    gram: Array,
    cross: Array,
    mask: np.ndarray,
    ridge: np.ndarray,
    start: np.ndarray,
    iterations: int = ITERATIONS,
    near: np.ndarray | None = None,
) -> np.ndarray:
    """argmin over w, zero where not kept, of wᵀ·G·w - 2·wᵀ·c + Σ ridge·(w - start)², unit by unit.

    Args:
        gram: XᵀX of the inputs, of shape (inputs, inputs), float64; as a tensor, what takes long is
            done where it is.
        cross: Xᵀ of the wanted outputs, of shape (inputs, units).
        mask: True for the kept weights, of shape (inputs, units).
        ridge: how strongly each input's weights are held to `start`, of shape (inputs,).
        start: of shape (inputs, units).
        iterations: of conjugate gradients, at most, for units that keep many inputs.
        near: where these begin; by default at `start`.

    Returns:
        Weights of shape (inputs, units), exactly zero where not kept.
    """
    start = np.where(mask, start, 0)
    near = start if near is None else near
    found, counts = np.zeros(mask.shape), mask.sum(axis=0)
    used, few, many = map(np.flatnonzero, (counts, counts <= FEW, counts > FEW))
    with in_float64(gram):
        system = _with_ridge(gram, ridge)
        wanted = cross + placed_like(ridge[:, np.newaxis] * start, cross)
        if len(used) and (mask[:, used] == mask[:, used[:1]]).all():
            rows = np.flatnonzero(mask[:, used[0]])
            found[np.ix_(rows, used)] = _solved(_cut(system, rows, rows), _cut(wanted, rows, used))
            return found
        if len(few):
            right = to_numpy(wanted)[:, few]
            found[:, few] = _one_by_one(to_numpy(system), right, mask[:, few])
        if len(many):
            kept, begin = (placed_like(each[:, many], gram) for each in (mask, near))
            right = namespace(gram).take(wanted, many, axis=1)
            dtype = "float32" if len(mask) > LARGE else "float64"
            system, right, begin = (in_type(each, dtype) for each in (system, right, begin))
            found[:, many] = to_numpy(_all_at_once(system, right, kept, begin, iterations))
    return found


def _with_ridge(gram, ridge):
    return gram + namespace(gram).diag(placed_like(ridge, gram))


def _cut(matrix, rows, columns):
    xp = namespace(matrix)
    return xp.take(xp.take(matrix, rows, axis=0), columns, axis=1)


def _one_by_one(system, wanted, mask):
    """Of units that keep few inputs: directly, many small systems at a time."""
    found = np.zeros(mask.shape)
    for units, rows, kept in small_systems(mask):
        systems = system_of(system, rows, kept)
        right = np.where(kept, wanted[rows, units[:, np.newaxis]], 0)
        weights = _solved(systems, right[..., np.newaxis])[..., 0]
        places = np.broadcast_to(units[:, np.newaxis], rows.shape)
        found[rows[kept], places[kept]] = weights[kept]
    return found


def small_systems(mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Units with a similar number of kept inputs, as many as the memory for their systems allows.

    Args:
        mask: True for the kept weights, of shape (inputs, units).

    Yields:
        Numbers of units, of shape (some,); the inputs that each of them keeps, in their order, of
        shape (some, most kept); and where these are such, not fillings, of the same shape.
    """
    counts = mask.sum(axis=0)
    order = np.argsort(counts, kind="stable")[::-1]
    order = order[counts[order] > 0]
    while len(order):
        size = int(counts[order[0]])
        number = max(1, BATCH_BYTES // (8 * size**2))
        units, order = order[:number], order[number:]
        rows = np.argsort(~mask[:, units], axis=0, kind="stable")[:size].T
        yield units, rows, np.arange(size) < counts[units, np.newaxis]


def system_of(system: np.ndarray, rows: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The system of each unit, of shape (units, most kept, most kept): the identity where it has
    fillings; for arguments see `small_systems`."""
    found = system[rows[:, :, np.newaxis], rows[:, np.newaxis, :]]
    pairs = kept[:, :, np.newaxis] & kept[:, np.newaxis, :]
    return np.where(pairs, found, np.eye(rows.shape[1]))


def _solved(systems, right):
    """The solution of linear systems; where they have several, the smallest."""
    if not is_numpy(systems):
        # Of a system that has several solutions JAX returns NaN, others raise errors of their own.
        with contextlib.suppress(RuntimeError):
            found = to_numpy(namespace(systems).linalg.solve(systems, right))
            if np.isfinite(found).all():
                return found
        systems, right = to_numpy(systems), to_numpy(right)
    try:
        return np.linalg.solve(systems, right)
    except np.linalg.LinAlgError:
        return np.linalg.pinv(systems, hermitian=True) @ right


def _all_at_once(system, wanted, mask, near, iterations):
    """Of units that keep many inputs: by conjugate gradients, which multiply whole matrices."""
    xp = namespace(system)
    weights = xp.copy(near)
    scale = 1 / xp.maximum(xp.diag(system), np.finfo(np.float32).tiny)[:, None]
    error = xp.where(mask, wanted - xp.matmul(system, weights), 0.0)
    goal = TOLERANCE**2 * xp.sum(scale * xp.where(mask, wanted, 0.0) ** 2, axis=0)
    step = scale * error
    size = xp.sum(error * step, axis=0)
    for _ in range(iterations):
        if is_whole(size <= goal):
            break
        change = xp.where(mask, xp.matmul(system, step), 0.0)
        length = _ratio(size, xp.sum(step * change, axis=0))
        weights += length * step
        error -= length * change
        before, size = size, xp.sum(scale * error**2, axis=0)
        step = scale * error + _ratio(size, before) * step
    return weights


def _ratio(above, below):
    xp, is_positive = namespace(above), below > 0
    return xp.where(is_positive, above / xp.where(is_positive, below, 1.0), 0.0)


def unexplained(gram: Array, ridge: np.ndarray, used: np.ndarray) -> np.ndarray:
    """The squared norm of each input without what the other used ones can replace: by how much the
    squared error grows without it, for a weight of 1, if the others are re-fitted (Hassibi & Stork,
    1993).

    Args:
        gram: as for `least_squares`.
        ridge: what is added to its diagonal, of shape (inputs,).
        used: True for inputs with a kept weight, of shape (inputs,).

    Returns:
        An array of shape (inputs,), 0 where not used, and for inputs that are always 0.
    """
    found, rows = np.zeros(len(used)), np.flatnonzero(used)
    with in_float64(gram):
        diagonal = _diagonal_of_inverse(_cut(_with_ridge(gram, ridge), rows, rows))
    found[rows] = np.where(diagonal > 0, 1 / np.where(diagonal > 0, diagonal, 1), 0)
    return found


def _diagonal_of_inverse(system):
    """Of the pseudoinverse, where there is no inverse, as behind a layer that is always 0."""
    if not is_numpy(system):
        xp = namespace(system)
        with contextlib.suppress(RuntimeError):  # as in `_solved`
            found = to_numpy(xp.diag(xp.linalg.inv(system)))
            if np.isfinite(found).all():
                return found
        system = to_numpy(system)
    try:
        return np.diag(np.linalg.inv(system))
    except np.linalg.LinAlgError:
        return np.diag(np.linalg.pinv(system, hermitian=True))
