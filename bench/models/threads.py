"""Threads: each asks and waits for itself, all share one memory.

While a thread waits, another one runs. But Python lets one thread at a time
compute: whoever holds the interpreter's lock.
"""
import concurrent.futures
import threading

import requests

from answer import arguments, told

own = threading.local()  # a session for each thread


def fetch(url):
    if not hasattr(own, "session"):
        own.session = requests.Session()
    return own.session.get(url, timeout=60).content


def main():
    urls, take, workers = arguments()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        told(list(pool.map(lambda url: take(fetch(url)), urls)))


if __name__ == "__main__":
    main()
