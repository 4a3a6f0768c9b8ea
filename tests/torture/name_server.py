"""A name server for the tests: name_server.py MODE-FILE, on 127.0.0.1:53 of a
network namespace of its own.

The file says what it does: `good` (every name is 127.0.0.1), `nxdomain`,
`servfail`, `silent`.
"""
import pathlib
import socket
import struct
import sys

CODES = {"good": 0, "servfail": 2, "nxdomain": 3}


def question_end(packet):
    at = 12
    while packet[at]:
        at += packet[at] + 1
    return at + 5  # the last byte, type, class


def answer(packet, mode):
    end = question_end(packet)
    kind, = struct.unpack_from(">H", packet, end - 4)
    found = mode == "good" and kind == 1  # A
    head = packet[:2] + struct.pack(">HHHHH", 0x8180 | CODES[mode], 1,
                                    int(found), 0, 0)
    record = struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + b"\x7f\0\0\1"
    return head + packet[12:end] + (record if found else b"")


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 53))
    print("ready", flush=True)
    while True:
        packet, client = sock.recvfrom(512)
        mode = pathlib.Path(sys.argv[1]).read_text().strip()
        if mode != "silent":
            sock.sendto(answer(packet, mode), client)


main()
