#!/usr/bin/env python3
"""Builds the simulation with each planted bug of mutants.txt, and wants it found.

    mutants.py BUILD [--seeds N] [--jobs N] [--markdown] [NAME...]

BUILD is a build folder in which test_simulation is built. Of each mutant only the changed file is compiled, in a folder
of its own, and the program is linked anew; the sources stay as they are. Exit status 1 where one is not found, does not
build, or its lines no longer stand in its file.
"""
import argparse
import concurrent.futures
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent


class Mutant:
    def __init__(self, text):
        lines = text.splitlines()
        self.name, self.rule = lines[0].split(": ", 1)
        self.file = lines[1]
        self.old = "".join(x[1:] + "\n" for x in lines[2:] if x[:1] == "-")
        self.new = "".join(x[1:] + "\n" for x in lines[2:] if x[:1] == "+")

    def apply(self):
        """The file's text with the bug in it. The last line may be the beginning of one."""
        text = (SOURCE / self.file).read_text()
        old, new = self.old, self.new
        if text.count(old) == 0:
            old, new = old[:-1], new[:-1]
        if text.count(old) != 1:
            raise LookupError(f"its lines stand {text.count(old)} times in {self.file}")
        return text.replace(old, new)


def read_mutants():
    parts = re.split(r"^== ", (HERE / "mutants.txt").read_text(), flags=re.M)[1:]
    return [Mutant(part) for part in parts]


def commands(build):
    out = subprocess.run(["ninja", "-C", build, "-t", "commands", "test_simulation"],
                         check=True, capture_output=True, text=True).stdout
    lines = out.splitlines()
    return lines[:-1], lines[-1]


def build_mutant(mutant, build, folder):
    """Compiles the changed file and links; the program's path."""
    compiles, link = commands(build)
    source = str(SOURCE / mutant.file)
    compile_one = [c for c in compiles if shlex.split(c)[-1] == source and "simulat" in c]
    if len(compile_one) != 1:
        raise LookupError(f"{mutant.file} is compiled {len(compile_one)} times")
    changed = folder / pathlib.Path(mutant.file).name
    changed.write_text(mutant.apply())
    arguments = shlex.split(compile_one[0])
    old_object = arguments[arguments.index("-o") + 1]
    new_object, program = folder / "changed.o", folder / "test_simulation"
    arguments[arguments.index("-o") + 1] = str(new_object)
    arguments[arguments.index("-MF") + 1] = str(folder / "changed.d")
    arguments[-1] = str(changed)
    place = arguments.index("-o")  # the compiler may stand behind a ccache
    arguments[place:place] = ["-iquote", str(pathlib.Path(source).parent), "-w"]
    run = subprocess.run(arguments, cwd=build, capture_output=True, text=True)
    if run.returncode:
        raise LookupError("it does not compile: " + run.stderr.splitlines()[0])
    linking = link.replace(old_object, str(new_object)).replace("-o test_simulation", f"-o {program}")
    subprocess.run(linking, cwd=build, shell=True, check=True, capture_output=True)
    return program


def try_mutant(mutant, build, seeds):
    """The first seed that finds it and what that says; or None and why."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = pathlib.Path(name)
        try:
            program = build_mutant(mutant, build, folder)
        except LookupError as err:
            return None, str(err)
        run = subprocess.run([program, "--seeds", str(seeds), "--failures", "1", "--no-shortening"],
                             capture_output=True, text=True)
        found = re.search(r"^FAILED seed (\d+): (.*)$", run.stdout, flags=re.M)
        if not found:
            return None, f"NOT FOUND in {seeds} seeds"
        return int(found[1]), found[2]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build")
    options.add_argument("names", nargs="*")
    options.add_argument("--seeds", type=int, default=500)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--markdown", action="store_true")
    options = options.parse_args()
    mutants = [m for m in read_mutants() if not options.names or m.name in options.names]
    missed = 0
    if options.markdown:
        print("| planted bug | the rule that it breaks | found by seed | which says |\n|---|---|--:|---|")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        tries = [pool.submit(try_mutant, m, options.build, options.seeds) for m in mutants]
        for mutant, result in zip(mutants, tries):
            seed, said = result.result()
            missed += seed is None
            said = re.sub(r"/\S+/(?=(master|node|proto|tests)/)|/\S*/mutant-\w+/", "", said)[:100]
            if options.markdown:
                print(f"| {mutant.name} | {mutant.rule} | {seed or '**none**'} | {said.replace('|', '/')} |")
            else:
                print(f"{mutant.name:28} {seed or '-':>5}  {said[:70]}", flush=True)
    print(f"\n{len(mutants)} planted bugs, {len(mutants) - missed} found within {options.seeds} seeds")
    return 1 if missed or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
