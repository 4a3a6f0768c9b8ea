"""Work that only computes: the same figures, again and again.

    compute.py CHART ANSWERS thread|threads|processes WORKERS
"""
import multiprocessing
import pathlib
import sys
import threading

from figures import figures


def work(body, answers):
    for _ in range(answers):
        figures(body)


def main():
    chart, answers, kind, workers = sys.argv[1:]
    body, workers = pathlib.Path(chart).read_bytes(), int(workers)
    make = multiprocessing.Process if kind == "processes" else threading.Thread
    started = [make(target=work, args=(body, int(answers) // workers))
               for _ in range(workers)]
    for each in started:
        each.start()
    for each in started:
        each.join()


if __name__ == "__main__":
    main()
