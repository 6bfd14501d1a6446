"""Which pose belongs to which track: pairs of least total cost."""

from __future__ import annotations

import numpy as np

from pose_regressor.types import FloatArray


def assign(costs: FloatArray) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost, each row and column in at most one.

    As many pairs as possible are made, and of all such choices the cheapest. Here and not from SciPy, which would be a
    large dependency for a robot.

    costs: (N, M), of each pair; infinite: this pair is impossible

    Shortest augmenting paths with dual prices (Kuhn 1955; Crouse, On implementing 2D rectangular assignment
    algorithms, IEEE Transactions on Aerospace and Electronic Systems 52(4), 2016).
    """
    if not np.size(costs):
        return []
    possible = np.isfinite(costs)
    # More than all possible pairs together, so it is chosen only where nothing else is left.
    forbidden = 1.0 + 2 * min(costs.shape) * (np.abs(costs[possible]).max() if possible.any() else 1.0)
    table = np.where(possible, costs, forbidden)
    wide = table if table.shape[0] <= table.shape[1] else table.T
    pairs = [(row, column) if wide is table else (column, row) for row, column in enumerate(_matching(wide))]
    return sorted((row, column) for row, column in pairs if possible[row, column])


def _matching(table: FloatArray) -> list[int]:
    """The column of each row of a finite (N, M >= N) table."""
    rows, columns = table.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for start in range(rows):
        distance = np.full(columns, np.inf)
        before = np.full(columns, -1)
        done = np.zeros(columns, bool)
        row, last, length = start, -1, 0.0
        # Dijkstra over the columns, until a free one is reached.
        while row >= 0:
            reach = length + table[row] - row_price[row] - column_price
            closer = ~done & (reach < distance)
            distance[closer], before[closer] = reach[closer], last
            last = int(np.where(done, np.inf, distance).argmin())
            length = float(distance[last])
            done[last] = True
            row = int(owner[last])
        others = [c for c in np.flatnonzero(done) if c != last]
        row_price[start] += length
        row_price[owner[others]] += length - distance[others]
        column_price[others] -= length - distance[others]
        while last >= 0:
            previous = int(before[last])
            owner[last] = owner[previous] if previous >= 0 else start
            last = previous
    return [int(np.flatnonzero(owner == row)[0]) for row in range(rows)]
