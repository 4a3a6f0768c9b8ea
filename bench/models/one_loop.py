"""Async: one thread, one loop; thousands wait at the same time.

At each `await` the loop goes on with whoever has something to do. While one
computes, all others stand still.
"""
import asyncio

import aiohttp

from answer import arguments, told


async def fetch_all(urls, take, in_flight):
    results = []

    async def worker(session, waiting):
        for url in waiting:  # one iterator for all: each takes the next
            async with session.get(url) as answer:
                results.append(take(await answer.read()))

    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:
        waiting = iter(urls)
        await asyncio.gather(*(worker(session, waiting)
                               for _ in range(in_flight)))
    return results


def main():
    urls, take, in_flight = arguments()
    told(asyncio.run(fetch_all(urls, take, in_flight)))


if __name__ == "__main__":
    main()
