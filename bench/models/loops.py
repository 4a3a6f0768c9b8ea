"""Both: a process for each core, and in each of them a loop.

This is what Windrow is made of.
"""
import asyncio
import multiprocessing
import os

from answer import arguments, told
from one_loop import fetch_all


def work(urls, take, in_flight):
    return asyncio.run(fetch_all(urls, take, in_flight))


def main():
    urls, take, in_flight = arguments()
    cores = len(os.sched_getaffinity(0))
    shares = [(urls[i::cores], take, in_flight // cores) for i in range(cores)]
    with multiprocessing.Pool(cores) as pool:
        told([result for share in pool.starmap(work, shares, chunksize=1)
              for result in share])


if __name__ == "__main__":
    main()
