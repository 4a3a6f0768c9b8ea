"""Carries TCP connections on, later: tcp_proxy.py DELAY ADDRESS FROM=TO...

Listens on each port FROM of ADDRESS and connects to TO: HOST:PORT, or the path
of a Unix socket. What comes is sent DELAY seconds later, both ways.
"""
import asyncio
import sys


async def carry(reader, writer, delay):
    loop = asyncio.get_running_loop()
    late = asyncio.Queue()

    async def send():
        while True:
            due, data = await late.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    sending = asyncio.create_task(send())
    try:
        while data := await reader.read(65536):
            late.put_nowait((loop.time() + delay, data))
    except ConnectionError:
        pass
    late.put_nowait((loop.time() + delay, b""))
    try:
        await sending
    except ConnectionError:
        writer.close()


def carrier(to, delay):
    async def on_connection(reader, writer):
        try:
            if to.startswith("/"):
                ends = await asyncio.open_unix_connection(to)
            else:
                ends = await asyncio.open_connection(*to.rsplit(":", 1))
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, ends[1], delay),
                             carry(ends[0], writer, delay))
    return on_connection


async def main(delay, address, *ways):
    for way in ways:
        port, _, to = way.partition("=")
        await asyncio.start_server(carrier(to, float(delay)), address,
                                   int(port))
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
