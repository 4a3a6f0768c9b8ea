"""Keys from a file, a chart for each, a row for each into PostgreSQL: threads
with requests, a session each, and psycopg2, rows by COPY in batches."""
import datetime
import json
import os
import queue
import threading
import traceback

import psycopg2
import requests

import arguments
from copying import copy_rows


def fetch(session, url):
    response = session.get(url, timeout=arguments.TIMEOUT_S)
    response.raise_for_status()
    # Floats as the text that was sent: the price keeps its digits.
    answer = json.loads(response.content, parse_float=str)
    return answer["chart"]["result"][0]["meta"]["regularMarketPrice"]


def work(base, keys, rows):
    """Takes keys until there are none."""
    session = requests.Session()
    session.trust_env = False  # no look for proxies and .netrc each time
    session.headers["User-Agent"] = arguments.USER_AGENT
    try:
        while True:
            key = keys.get_nowait()
            price = fetch(session,
                          f"{base}{arguments.PATH}{key}{arguments.ASKED}")
            rows.put((key, price,
                      datetime.datetime.now(datetime.timezone.utc)))
    except queue.Empty:
        return
    except Exception:  # a thread's exception would go unseen
        traceback.print_exc()
        os._exit(1)


def store(dsn, rows, count):
    connection = psycopg2.connect(dsn)
    batch = []
    for left in range(count - 1, -1, -1):
        batch.append(rows.get())
        if len(batch) == arguments.BATCH_ROWS or not left:
            copy_rows(connection, batch)
            batch = []
    connection.close()


def main():
    options = arguments.parse()
    keys, rows = queue.SimpleQueue(), queue.Queue(2 * arguments.BATCH_ROWS)
    every = arguments.read_keys(options.keys)
    for key in every:
        keys.put(key)
    threads = [threading.Thread(target=work, args=(options.url, keys, rows))
               for _ in range(options.concurrency)]
    for thread in threads:
        thread.start()
    store(options.dsn, rows, len(every))
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
