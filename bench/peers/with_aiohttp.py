"""Keys from a file, a chart for each, a row for each into PostgreSQL: aiohttp
and asyncpg, an event loop a core, rows by COPY in batches."""
import asyncio
import datetime
import decimal
import json
import multiprocessing

import aiohttp
import asyncpg

import arguments


async def fetch(session, url):
    async with session.get(url) as response:
        response.raise_for_status()
        body = await response.read()
    # Floats as the text that was sent: the price keeps its digits, and no
    # other number costs more than it has to.
    meta = json.loads(body, parse_float=str)["chart"]["result"][0]["meta"]
    return decimal.Decimal(meta["regularMarketPrice"])


async def work(session, base, keys, rows):
    """Takes keys until there are none."""
    for key in keys:  # one iterator for all workers
        price = await fetch(
            session, f"{base}{arguments.PATH}{key}{arguments.ASKED}")
        await rows.put((key, price, datetime.datetime.now(
            datetime.timezone.utc)))


async def store(dsn, rows):
    """Stores rows until None comes."""
    connection = await asyncpg.connect(dsn)
    batch, more = [], True
    while more:
        row = await rows.get()
        more = row is not None
        if more:
            batch.append(row)
        if batch and (not more or len(batch) == arguments.BATCH_ROWS):
            await connection.copy_records_to_table(
                "prices", records=batch, columns=arguments.COLUMNS)
            batch = []
    await connection.close()


async def run(options, keys):
    rows = asyncio.Queue(2 * arguments.BATCH_ROWS)
    storing = asyncio.create_task(store(options.dsn, rows))
    keys = iter(keys)
    async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=options.concurrency),
            timeout=aiohttp.ClientTimeout(total=arguments.TIMEOUT_S),
            headers={"User-Agent": arguments.USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar()) as session:
        await asyncio.gather(*(work(session, options.url, keys, rows)
                               for _ in range(options.concurrency)))
    await rows.put(None)
    await storing


def run_process(options, part):
    if options.uvloop:
        import uvloop
        uvloop.install()
    keys = arguments.read_keys(options.keys)[part::options.cores]
    asyncio.run(run(options, keys))


def main():
    options = arguments.parse()
    if options.cores == 1:
        return run_process(options, 0)
    with multiprocessing.Pool(options.cores) as pool:
        pool.starmap(run_process, [(options, part) for part in
                                   range(options.cores)])


if __name__ == "__main__":
    main()
