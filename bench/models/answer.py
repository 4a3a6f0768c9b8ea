"""What every program here does with an answer, and how it is told what to do.

    PROGRAM URL KEYS WHAT [WORKERS]

URL has {key} in it, for K0000001, K0000002, ... WHAT is `price` (next to
nothing is computed) or `figures` (figures.py). Prints how many answers there
were.
"""
import json
import sys

from figures import figures


def price(body):
    return json.loads(body)["chart"]["result"][0]["meta"]["regularMarketPrice"]


def arguments():
    """(the URLs, what to do with an answer, how many workers)"""
    url, keys, what = sys.argv[1:4]
    workers = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    urls = [url.replace("{key}", f"K{number:07}")
            for number in range(1, int(keys) + 1)]
    return urls, {"price": price, "figures": figures}[what], workers


def told(results):
    print(f"{len(results)} answers")
