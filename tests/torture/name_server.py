"""A name server for the tests: name_server.py MODE-FILE, on 127.0.0.1:53 of a
network namespace of its own.

The file says what it does: `nxdomain`, `servfail`, `silent`; or what every
name means, a line an answer, the last one from then on: IPv4 addresses.
"""
import pathlib
import socket
import struct
import sys

CODES = {"servfail": 2, "nxdomain": 3}
A = 1


def question_end(packet):
    at = 12
    while packet[at]:
        at += packet[at] + 1
    return at + 5  # the last byte, type, class


def answer(packet, code, addresses):
    end = question_end(packet)
    head = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1,
                                    len(addresses), 0, 0)
    records = [struct.pack(">HHHIH", 0xC00C, A, 1, 1, 4)
               + socket.inet_aton(address) for address in addresses]
    return head + packet[12:end] + b"".join(records)


def is_for_address(packet):
    return struct.unpack_from(">H", packet, question_end(packet) - 4)[0] == A


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 53))
    print("ready", flush=True)
    before, answered = None, 0
    while True:
        packet, client = sock.recvfrom(512)
        mode = pathlib.Path(sys.argv[1]).read_text().strip()
        if mode != before:
            before, answered = mode, 0
        addresses = []
        if mode not in (*CODES, "silent") and is_for_address(packet):
            answers = mode.splitlines()
            addresses = answers[min(answered, len(answers) - 1)].split()
            answered += 1
        if mode != "silent":
            sock.sendto(answer(packet, CODES.get(mode, 0), addresses), client)


main()
