"""Statistics: of a handful of rounds, nothing more clever than they bear.

Rounds take turns (A B A B), so a ratio is that of the two runs of one round,
which had the same weather; then the median of these ratios.
"""
import statistics


class Spread:
    """A median, and the smallest and largest."""

    def __init__(self, values):
        values = sorted(values)
        self.median = statistics.median(values)
        self.low, self.high, self.n = values[0], values[-1], len(values)

    def text(self):
        """12.3 (11.9 to 14.0)"""
        middle = number(self.median)
        if self.low == self.high:
            return middle
        return f"{middle} ({number(self.low)} to {number(self.high)})"


def number(value):
    """Three digits that matter, and no more than are useful."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if size >= 10 else 2 if size >= 0.1 else 3}f}"


class Rounds:
    """What each system gave in each round: {metric: value} a run."""

    def __init__(self, runs=None):
        self.runs = runs or {}  # system: [{metric: value}], a round each

    def __contains__(self, system):
        return system in self.runs

    def add(self, system, figures):
        self.runs.setdefault(system, []).append(figures)

    def drop(self, system):
        self.runs.pop(system, None)

    def systems(self):
        return list(self.runs)

    def values(self, system, metric):
        return [figures[metric] for figures in self.runs.get(system, [])
                if figures.get(metric) is not None]

    def spread(self, system, metric):
        """Its Spread, or None where it was not measured."""
        values = self.values(system, metric)
        return Spread(values) if values else None

    def median(self, system, metric):
        spread = self.spread(system, metric)
        return spread.median if spread else None

    def ratio(self, system, other, metric, other_metric=None):
        """Spread of the rounds' own ratios, or None."""
        pairs = zip(self.values(system, metric),
                    self.values(other, other_metric or metric))
        ratios = [one / two for one, two in pairs if two]
        return Spread(ratios) if ratios else None

    def difference(self, system, other, metric):
        """Spread of the rounds' own differences, or None."""
        pairs = list(zip(self.values(system, metric),
                         self.values(other, metric)))
        return Spread([one - two for one, two in pairs]) if pairs else None
