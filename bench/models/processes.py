"""Processes: each asks and waits for itself, none shares its memory.

Each has an interpreter of its own, so all cores compute. What goes in and out
is sent through pipes, and each process costs memory.
"""
import functools
import multiprocessing

import requests

from answer import arguments, told

session = requests.Session()  # each process gets its own copy


def work(take, url):
    return take(session.get(url, timeout=60).content)


def main():
    urls, take, workers = arguments()
    with multiprocessing.Pool(workers) as pool:
        told(pool.map(functools.partial(work, take), urls, chunksize=1))


if __name__ == "__main__":
    main()
