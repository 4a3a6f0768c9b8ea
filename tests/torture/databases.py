"""What stands between Windrow and its PostgreSQL: a pooler, a bad line.

Each takes a harness.PostgresStore; its own `store` is the same database,
reached through it. What a test asks of the database goes past it.
"""
import copy
import http.server
import os
import pathlib
import pwd
import re
import selectors
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

from harness import end, ends_with_us, until

PORT = 5432  # names the socket's file; nothing listens on the network


def through(store, folder, user="postgres"):
    """The same database, by the socket in `folder` or as another user."""
    store = copy.copy(store)
    store.url = f"postgresql://{user}@/{store.name}?host={folder}"
    return store


class Pgbouncer:
    """Debian's pgbouncer, with few sessions for many clients."""

    PROGRAM = "/usr/sbin/pgbouncer"

    def __init__(self, store, mode="transaction", size=3):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="windrow-pgb-"))
        (self.folder / "users").write_text('"postgres" ""\n')
        (self.folder / "ini").write_text(
            f"[databases]\n* = host={store.cluster.folder}\n"
            "[pgbouncer]\nlisten_addr =\n"
            f"listen_port = {PORT}\nunix_socket_dir = {self.folder}\n"
            f"auth_type = trust\nauth_file = {self.folder}/users\n"
            f"pool_mode = {mode}\ndefault_pool_size = {size}\n"
            f"max_client_conn = 200\nlogfile = {self.folder}/log\n")
        user = []
        if os.getuid() == 0:  # which pgbouncer refuses to run as
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            user = ["setpriv", "--reuid=postgres", "--regid=postgres",
                    "--init-groups"]
        self.command = [*user, self.PROGRAM, "-q", self.folder / "ini"]
        self.store = through(store, self.folder)
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=ends_with_us if os.getuid() else None)
        until((self.folder / f".s.PGSQL.{PORT}").exists, "pgbouncer listens")

    def end(self):
        end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        end(self.process)
        (self.folder / f".s.PGSQL.{PORT}").unlink(missing_ok=True)


class Line:
    """Forwards between Windrow and the server, and looks at what Windrow
    says: where the bytes up to a Sync, or a simple query, contain `match`,
    `cut` is asked with their number (1, 2, ...). A true answer cuts the
    connection: with "after", when the server has done what was asked, whose
    answer is lost; with "before", before the server hears of it."""

    def __init__(self, store, match, cut):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="windrow-line-"))
        self.server = str(store.cluster.folder / f".s.PGSQL.{PORT}")
        self.match, self.cut = re.compile(match, re.DOTALL), cut
        self.n_seen, self.n_cut = 0, 0
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.folder / f".s.PGSQL.{PORT}"))
        self.listener.listen(100)
        self.store = through(store, self.folder)
        threading.Thread(target=self.accept, daemon=True).start()

    def end(self):
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        with client, server, selectors.DefaultSelector() as selector:
            try:
                server.connect(self.server)
                selector.register(client, selectors.EVENT_READ)
                selector.register(server, selectors.EVENT_READ)
                self.forward(client, server, selector)
            except OSError:
                pass  # either has gone

    def forward(self, client, server, selector):
        rest, asked = b"", b""
        started = False
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)
                if not data:
                    return
                if key.fileobj is server:
                    client.sendall(data)
                    continue
                rest += data
                while message := whole_message(rest, started):
                    rest = rest[len(message):]
                    asked += message
                    if started and message[:1] in b"SQ":
                        how = self.decide(asked)
                        if how == "before":
                            return
                        server.sendall(asked)
                        if how == "after":
                            wait_until_done(server)
                            return
                        asked = b""
                    elif not started or message[:1] in b"pX":
                        server.sendall(asked)
                        asked = b""
                    started = True

    def decide(self, asked):
        if not self.match.search(asked):
            return None
        with self.lock:
            self.n_seen += 1
            how = self.cut(self.n_seen)
            self.n_cut += bool(how)
        return how


def whole_message(data, started):
    """The first message, if all of it is there; the very first one has no
    type."""
    head = 1 if started else 0
    if len(data) < head + 4:
        return None
    length = head + struct.unpack_from("!I", data, head)[0]
    return data[:length] if len(data) >= length else None


def wait_until_done(server):
    """Until the server has nothing more to say for a while: the last
    ReadyForQuery has come, and nobody is told."""
    server.settimeout(0.2)
    try:
        while server.recv(65536):
            pass
    except TimeoutError:
        pass


class Answers:
    """An origin that answers each key with a text of the test's own."""

    def __init__(self, answers):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = answers.get(self.path.lstrip("/"), "").encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()
