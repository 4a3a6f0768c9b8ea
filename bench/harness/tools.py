"""Where programs are, and what is said where one is missing."""
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
SOURCE = HERE.parent if (HERE / "CMakeLists.txt").exists() else None
BUILD = pathlib.Path(os.environ["WINDROW_BUILD"]).resolve() \
    if "WINDROW_BUILD" in os.environ else \
    SOURCE / "build/release" if SOURCE else None
# Programs of the package that are of no use by themselves.
INSTALLED = HERE.parent.parent / "lib/windrow-bench"

PACKAGES = {"nginx": "nginx-light", "psql": "postgresql-client-15",
            "postgres": "postgresql-15", "perf": "linux-perf",
            "gnuplot": "gnuplot-nox", "go": "golang-go"}


class Missing(Exception):
    """Something that a system needs is not here; it is left out."""


class Failed(Exception):
    """A system did not do what it was asked for; it does not count."""


def program(name):
    """The path of a program, ours or the machine's."""
    for folder in (BUILD, INSTALLED):
        if folder and (folder / name).exists():
            return str(folder / name)
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if found := shutil.which(name, path=path):
        return found
    if name.startswith("windrow"):
        raise Missing(f"{name} is not built" + (
            f" in {BUILD}: ./dev build" if BUILD else ", nor in PATH"))
    package = PACKAGES.get(name, name)
    raise Missing(f"{name} is missing: apt-get install {package}")


def postgres_programs():
    """The folder of the newest PostgreSQL server's programs."""
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
                     key=lambda path: int(path.parent.name))
    for folder in reversed(folders):
        if (folder / "initdb").exists():
            return folder
    raise Missing("no PostgreSQL server in /usr/lib/postgresql/*/bin: "
                  "apt-get install postgresql-15")


def need_module(python, name, package):
    """Missing unless this Python, of Debian, finds the module."""
    found = subprocess.run(
        [python, "-c", f"import importlib.util as u; import sys;"
         f"sys.exit(not u.find_spec({name!r}))"], check=False)
    if found.returncode:
        raise Missing(f"Python's {name} is missing: apt-get install {package}")


def version():
    """Ours, as `windrow --version` says it."""
    try:
        done = subprocess.run([program("windrow"), "--version"],
                              capture_output=True, text=True, check=False)
    except Missing:
        return "of unknown version: windrow is not here"
    return done.stdout.split()[-1]
