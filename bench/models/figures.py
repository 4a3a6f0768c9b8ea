"""The figures over a chart of two years, in plain Python: work that computes.

They are those of `windrow-bench-models figures`, and of a pipeline with the
fields that pipeline_fields() gives.
"""
import json
import math

ARRAYS = {"open": "quote", "high": "quote", "low": "quote", "close": "quote",
          "volume": "quote", "adjclose": "adjclose"}


def mean(x):
    return sum(x) / len(x)


def volatility(x):
    """Of a year, out of the days' log returns."""
    returns = [math.log(now / before) for before, now in zip(x, x[1:])]
    centre = mean(returns)
    squares = sum((r - centre) ** 2 for r in returns)
    return math.sqrt(squares / (len(returns) - 1)) * math.sqrt(252)


def drawdown(x):
    """The deepest fall below an earlier peak."""
    peak, deepest = x[0], 0.0
    for now in x:
        peak = max(peak, now)
        deepest = max(deepest, 1 - now / peak)
    return deepest


def ema(x, span):
    e = mean(x[:span])
    for now in x[span:]:
        e += (now - e) * 2 / (span + 1)
    return e


def percentile(x, p):
    x, place = sorted(x), p / 100 * (len(x) - 1)
    below = int(place)
    return x[below] + (place - below) * (x[below + 1] - x[below])


# name: (what it computes, the same in a pipeline)
FIGURES = {
    "volatility": (volatility, "volatility"),
    "drawdown": (drawdown, "drawdown"),
    "ema20": (lambda x: ema(x, 20), "{ema: 20}"),
} | {f"p{p}": (lambda x, p=p: percentile(x, p), f"{{percentile: {p}}}")
     for p in (5, 10, 25, 50, 75, 90, 95)}


def figures(body):
    """All of them: {"close_volatility": 0.18, ...}."""
    told = json.loads(body)["chart"]["result"][0]["indicators"]
    found = {}
    for array, where in ARRAYS.items():
        x = [number for number in told[where][0][array] if number is not None]
        for name, (compute, _) in FIGURES.items():
            found[f"{array}_{name}"] = compute(x)
    return found


def pipeline_fields():
    """The same, for a pipeline file: {field: its description}."""
    return {f"{array}_{name}":
            f"{{at: /chart/result/0/indicators/{where}/0/{array},"
            f" compute: {compute}}}"
            for array, where in ARRAYS.items()
            for name, (_, compute) in FIGURES.items()}
