"""A cluster over TCP: masters and nodes that a test starts one by one."""
import random
import socket

import harness


def free_place():
    """tcp://127.0.0.1:PORT where PORT and PORT + 1 are free."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as one, socket.socket() as two:
            try:
                one.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return f"tcp://127.0.0.1:{port}"


class Network:
    """Masters and nodes of one test, at one place, on one database."""

    def __init__(self, starter, store, keys=None):
        self.starter, self.store, self.keys = starter, store, keys
        self.place = free_place()

    def node(self, *arguments, keys=None, **env):
        """Starts a node, which serves run after run."""
        keys = keys or self.keys
        if keys:
            arguments += ("--keys", keys)
        return self.starter.start(
            "--connect", self.place, *arguments,
            program=harness.BUILD / "windrow-node",
            env={"DATABASE_URL": self.store.url, **self.settings, **env})

    def master(self, *arguments, **options):
        """Starts a master without nodes of its own."""
        if self.keys:
            arguments += ("--keys", self.keys)
        env = {**self.settings, **options.pop("env", {})}
        return self.starter.start(
            *arguments, "--listen", self.place, "--scale", "0",
            store=self.store, env=env, **options)

    settings = {}
