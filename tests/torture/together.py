"""Several runs at once: most of a run is waiting, for a lease or an answer.

A case is a generator. It yields a Windrow that it has started and is sent its
Result when that has ended.
"""
import time

from harness import PATIENCE


class Case:
    def __init__(self, generator):
        self.generator = generator
        self.over = False
        self.go_on(None)

    def go_on(self, result):
        try:
            self.run = self.generator.send(result)
            self.began = time.monotonic()
        except StopIteration:
            self.over = True

    def look(self, seconds):
        if self.run.is_running():
            late = time.monotonic() - self.began > seconds * PATIENCE
            if not late:
                return
        self.go_on(self.run.wait(1))  # says what hangs, where it does


def together(cases, at_once=4, seconds=40):
    """Goes through all cases, `at_once` of them at a time; no run may take
    longer than `seconds`. Generators are begun when it is their turn."""
    cases, going = iter(cases), []
    while True:
        while len(going) < at_once:
            generator = next(cases, None)
            if generator is None:
                break
            going.append(Case(generator))
        if not going:
            return
        for case in going:
            if not case.over:
                case.look(seconds)
        going = [case for case in going if not case.over]
        time.sleep(0.01)
