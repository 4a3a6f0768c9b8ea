"""Who is trusted with what: TLS, private addresses, secrets, names in SQL, and
what a node can still do once it is confined. See docs/security.md."""
import contextlib
import ctypes
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading

import pytest

import harness
from harness import SP500, until
from network import Network, free_place

SECRET = "tr0ub4dor-correct-horse"
KEYS = ["A", "B", "C"]


class Server:
    """Answers each request with `body`, or, where `answer(path)` is a text,
    with a redirect to it. With a context it speaks TLS; with `closes`, each
    connection is for one request."""

    def __init__(self, context=None, answer=lambda path: None,
                 body=b'{"price": 1.5}', closes=False):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                requests.append((self.path, dict(self.headers)))
                location = answer(self.path)
                self.send_response(302 if location else 200)
                if location:
                    self.send_header("Location", location)
                sent = b"" if location else body
                self.send_header("Content-Length", str(len(sent)))
                if closes:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *arguments):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that does not like our certificate

            def finish_request(self, request, client_address):
                if context:
                    request = context.wrap_socket(request, server_side=True)
                super().finish_request(request, client_address)

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve():
    """serve(context=, answer=, ...): a Server that is ended with the test."""
    with contextlib.ExitStack() as stack:
        def start(**options):
            server = Server(**options)
            stack.callback(server.end)
            return server
        yield start


def ask(url, **options):
    """A pipeline that asks for KEYS, once each."""
    return harness.pipeline(
        harness.source("values", input_values=KEYS),
        harness.quotes(url=url, fields={"price": "/price"},
                       retry={"attempts": 1}, **options),
        harness.store())


# TLS.

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """certificates(NAME, host=, days=): a context for a server with such a
    certificate, by the authority of certificates.ca; without `signed`, its
    own."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True,
                       capture_output=True, timeout=60)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=A test's authority", "-keyout", "ca.key", "-out",
            "ca.pem")
    (folder / "index").touch()
    (folder / "serial").write_text("1000\n")
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index\nserial = serial\n"
        "new_certs_dir = .\ncertificate = ca.pem\nprivate_key = ca.key\n"
        "default_md = sha256\npolicy = any\ncopy_extensions = copy\n"
        "unique_subject = no\n[any]\ncommonName = supplied\n")

    def make(name, host="localhost", start="20200101000000Z",
             end="20991231000000Z", signed=True):
        openssl("req", *([] if signed else ["-x509"]), "-newkey", "rsa:2048",
                "-nodes", "-subj", f"/CN={host}", "-addext",
                f"subjectAltName=DNS:{host}", "-keyout", f"{name}.key",
                "-out", f"{name}.{'csr' if signed else 'pem'}")
        if signed:
            openssl("ca", "-config", "ca.conf", "-batch", "-notext",
                    "-startdate", start, "-enddate", end, "-in",
                    f"{name}.csr", "-out", f"{name}.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        return context

    make.ca = folder / "ca.pem"
    return make


def failures_of(windrow, pipeline, store, url, status=3, **env):
    """The reason of all keys' failure, and what is said about it."""
    result = windrow("run", pipeline(ask(url)), store=store, env=env)
    assert result.status == status, result
    assert store.count() == 0
    reasons = store.failures()
    assert set(reasons) == set(KEYS) and len(set(reasons.values())) == 1
    details = windrow("failures", 1, store=store)
    return reasons["A"], details.out


def test_a_good_certificate(windrow, pipeline, sqlite, serve, certificates):
    server = serve(context=certificates("good"))
    result = windrow(
        "run", pipeline(ask(f"https://localhost:{server.port}/{{key}}")),
        store=sqlite, env={"WINDROW_CA_FILE": str(certificates.ca)})
    assert result.status == 0, result
    assert sqlite.count() == 3


class Opens:
    """How often a file is opened from now on."""
    OPEN, CLOSE, NONBLOCK, EVENT = 0x20, 0x10, 0o4000, "iIII"  # inotify(7)

    def __init__(self, path):
        libc = ctypes.CDLL(None)
        self.fd = libc.inotify_init1(self.NONBLOCK)
        # With the closings, since events that are alike in a row are one.
        assert libc.inotify_add_watch(self.fd, os.fsencode(path),
                                      self.OPEN | self.CLOSE) >= 0, path

    def count(self):
        try:
            events = os.read(self.fd, 1 << 20)
        except BlockingIOError:
            return 0
        finally:
            os.close(self.fd)
        return sum(mask & self.OPEN == self.OPEN for _, mask, _, _
                   in struct.iter_unpack(self.EVENT, events))


def test_authorities_are_read_once(windrow, pipeline, sqlite, serve,
                                   certificates):
    """And not for each handshake, which would take it 17 ms."""
    n_keys = 60
    server = serve(context=certificates("often"), closes=True)
    path = pipeline(
        harness.source("values", input_values=[f"K{i}" for i in
                                               range(n_keys)]),
        harness.quotes(url=f"https://localhost:{server.port}/{{key}}",
                       fields={"price": "/price"}, instances=4),
        harness.store())
    opens = Opens(certificates.ca)
    result = windrow("run", path, "--scale", 1, store=sqlite,
                     env={"WINDROW_CA_FILE": str(certificates.ca)})
    assert result.status == 0, result
    assert sqlite.count() == len(server.requests) == n_keys
    assert opens.count() == 1


@pytest.mark.parametrize("fault", [
    "expired", "not yet valid", "wrong host", "self-signed",
    "unknown authority", "TLS 1.1", "no TLS"])
def test_a_bad_certificate(windrow, pipeline, sqlite, serve, certificates,
                           fault):
    """Each is refused for good, and the words say why."""
    arguments, words = {
        "expired": ({"end": "20210101000000Z"}, "expired"),
        "not yet valid": ({"start": "20980101000000Z"}, "not yet valid"),
        "wrong host": ({"host": "other.example"}, "localhost"),
        "self-signed": ({"signed": False}, "self-signed"),
        "unknown authority": ({}, "unable to get local issuer"),
        "TLS 1.1": ({}, "protocol version"),
        "no TLS": ({}, "wrong version number"),
    }[fault]
    context = certificates(fault.replace(" ", "-"), **arguments)
    if fault == "TLS 1.1":
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = serve(context=None if fault == "no TLS" else context)
    env = ({} if fault == "unknown authority"
           else {"WINDROW_CA_FILE": str(certificates.ca)})
    reason, details = failures_of(
        windrow, pipeline, sqlite,
        f"https://localhost:{server.port}/{{key}}", **env)
    assert reason == "tls" and words in details, details
    assert not server.requests


def test_a_server_with_tls_1_1_is_one(serve, certificates):
    """It answers a client that would take it, so the test above shows what it
    should."""
    context = certificates("old")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = serve(context=context)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(certificates.ca)
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_connection(("localhost", server.port)) as plain:
        with client.wrap_socket(plain, server_hostname="localhost") as link:
            assert link.version() == "TLSv1.1"


@pytest.mark.parametrize("how", [100, 10000], ids=["reset", "closed"])
def test_a_handshake_that_is_cut(windrow, pipeline, sqlite, how):
    """That says nothing about the certificate, and may pass."""
    listener = socket.create_server(("127.0.0.1", 0))

    def hang_up():
        with contextlib.suppress(OSError):
            while True:
                link, _ = listener.accept()
                link.recv(how)
                link.close()

    threading.Thread(target=hang_up, daemon=True).start()
    port = listener.getsockname()[1]
    reason, details = failures_of(windrow, pipeline, sqlite,
                                  f"https://localhost:{port}/{{key}}")
    listener.close()
    assert reason == "connect", details


def test_an_authorities_file_that_is_not_there(windrow, pipeline, sqlite):
    result = windrow("run", pipeline(ask("https://localhost:1/{key}")),
                     store=sqlite, env={"WINDROW_CA_FILE": "/no/such.pem"})
    assert result.status == 2 and "/no/such.pem" in result.err, result


# Where requests may go, and what goes with them.

PRIVATE = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
           "2130706433"]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_denied(windrow, pipeline, sqlite, serve, host):
    """However they are written, and by what name they go."""
    server = serve()
    url = f"http://{host}:{server.port}/{{key}}"
    result = windrow("run", pipeline(ask(url, deny_private=True)),
                     store=sqlite)
    assert result.status == 3, result
    assert set(sqlite.failures().values()) == {"private_address"}
    assert not server.requests


def test_a_name_with_a_private_address(windrow, pipeline, sqlite, serve):
    """The address that is connected to is what counts, not the name."""
    server = serve()
    name = socket.gethostname()
    with contextlib.suppress(OSError):
        if socket.gethostbyname(name).startswith(("127.", "10.", "172.",
                                                  "192.168.")):
            result = windrow("run", pipeline(ask(
                f"http://{name}:{server.port}/{{key}}", deny_private=True)),
                store=sqlite)
            assert result.status == 3, result
            assert set(sqlite.failures().values()) == {"private_address"}
            return
    pytest.skip("this machine's name has no private address")


def test_private_addresses_are_allowed_by_default(windrow, pipeline, sqlite,
                                                  serve):
    server = serve()
    result = windrow("run", pipeline(ask(
        f"http://localhost:{server.port}/{{key}}")), store=sqlite)
    assert result.status == 0, result
    assert len(server.requests) == 3


@pytest.mark.parametrize("target", [
    "file:///etc/passwd", "FILE:///etc/passwd", "ftp://127.0.0.1/x",
    "gopher://127.0.0.1:70/", "javascript:1", "http://"])
def test_redirects_leave_the_web_for_nothing(windrow, pipeline, sqlite, serve,
                                             target):
    server = serve(answer=lambda path: target)
    reason, _ = failures_of(windrow, pipeline, sqlite,
                            f"http://127.0.0.1:{server.port}/{{key}}")
    # libcurl reports no redirect to an address that it can't read.
    assert reason in {"bad_redirect", "http_status"}
    assert len(server.requests) == 3


def test_headers_stay_with_their_host(windrow, pipeline, sqlite, serve,
                                      store):
    """A redirect to another host, or port, does not take a token along; one
    within the host does. Asked twice in one node, so that handles are used
    again for both."""
    other = serve()
    server = serve(answer=lambda path: (
        f"http://127.0.0.1:{other.port}{path}" if path.startswith("/away") else
        "/here" + path.removeprefix("/home") if path.startswith("/home")
        else None))
    home = harness.quotes(
        name="home", input_queue="one", output_queues=["prices"],
        url=f"http://127.0.0.1:{server.port}/home/{{key}}",
        fields={"price": "/price"},
        headers={"Authorization": "Bearer ${API_TOKEN}", "Accept": "x/y"})
    away = harness.quotes(
        name="away", input_queue="two", output_queues=["prices"],
        url=f"http://127.0.0.1:{server.port}/away/{{key}}",
        fields={"price": "/price"},
        headers={"Authorization": "Bearer ${API_TOKEN}", "Accept": "x/y"})
    result = windrow(
        "run", pipeline(harness.pipeline(
            harness.source("values", "one", "first", KEYS),
            harness.source("values", "two", "second", KEYS), home, away,
            harness.store(), queues=("one", "two", "prices"))),
        "--scale", 1, store=store,
        env={"API_TOKEN": SECRET, "WINDROW_LOG_LEVEL": "debug"})
    assert result.status == 0, result
    assert len(server.requests) == 9 and len(other.requests) == 3
    for path, headers in server.requests:
        assert headers["Authorization"] == f"Bearer {SECRET}", path
    for path, headers in other.requests:
        assert SECRET not in repr(headers)
        assert headers["Accept"] == "x/y"
    assert SECRET not in result.text + repr(result.summary) + store.dump()


# Secrets.

def ways(folder, cluster, name, password):
    """The ways to tell a password: (environment, lines of .env)."""
    url = f"postgresql://{name}{{}}@/{name}?host={cluster.folder}"
    yield {"DATABASE_URL": url.format(":" + password)}, ""
    yield {"DATABASE_URL": url.format("") + "&password=" + password}, ""
    yield {"DATABASE_URL": url.format(""), "PGPASSWORD": password}, ""
    yield {}, f"DATABASE_URL={url.format(':' + password)}\n"
    yield {}, f"DATABASE_URL={url.format('')}\nPGPASSWORD='{password}'\n"
    yield ({"PG_HOST": str(cluster.folder), "PG_USER": name,
            "PG_DB": name}, f'export PG_PW="{password}"\n')
    file = folder / "password"
    file.write_text(password + "\n")
    yield {"DATABASE_URL": url.format(""), "PGPASSWORD_FILE": str(file)}, ""


@pytest.mark.parametrize("way", range(7))
def test_passwords_are_seen_nowhere(start, windrow, origin, cluster, tmp_path,
                                    way):
    """Not in the output, ps, the summary, the ledger; right or wrong."""
    locked = cluster.locked(SECRET)
    server = origin("--latency", "50ms", "--count", 200)
    for password in (SECRET, SECRET[::-1]):
        folder = tmp_path / password[:3]
        folder.mkdir()
        env, lines = list(ways(folder, cluster, locked.name, password))[way]
        (folder / ".env").write_text(lines)
        shutil.copy(SP500, folder / "p.yaml")
        run = start("run", folder / "p.yaml", "--scale", 2, origin=server,
                    env={**env, "WINDROW_LOG_LEVEL": "debug"})
        seen = []
        while run.is_running():
            for pid in [run.pid, *run.nodes()]:
                seen.append(" ".join(harness.process_arguments(pid) or []))
        result = run.wait()
        assert result.status == (0 if password == SECRET else 4), result
        assert password not in result.text + repr(result.summary)
        assert seen and password not in "".join(seen)
    assert locked.count() == 200
    assert SECRET not in locked.dump() and SECRET[::-1] not in locked.dump()


@pytest.mark.parametrize("url", [
    f"postgresql://u:{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:{SECRET}@no-such-host.invalid/x",
    f"postgresql://u:{SECRET}@:-1/x", f"postgresql://u:{SECRET}@[::1/x",
    f"postgresql://u:a@b:{SECRET}@127.0.0.1:1/x",
    f"postgresql://u@127.0.0.1:1/x?password={SECRET}&nonsense=1",
    f"postgresql://u@127.0.0.1:1/x?password={SECRET}%zz",
    f"postgresql://u:{SECRET}%zz@127.0.0.1:1/x",
    f"postgresql://u:{SECRET}@127.0.0.1:1/x?sslmode=nonsense",
    f"postgresql://u:p%20{SECRET}@127.0.0.1:1/x",
    f"postgres://u:{SECRET}", f"mysql://u:{SECRET}@h/x",
    f"host=127.0.0.1 port=1 password={SECRET}",
    f"postgresql:u:{SECRET}@h/x"])
def test_urls_that_lead_nowhere(windrow, url):
    """An error, with the address if need be, without the password."""
    for command in (["run", SP500], ["runs"]):
        result = windrow(*command, env={"DATABASE_URL": url,
                                        "WINDROW_DATABASE_WAIT": "1s",
                                        "WINDROW_LOG_LEVEL": "debug"})
        assert result.status in (2, 4) and result.err, result
        assert SECRET not in result.text, result
    for pid_file in pathlib.Path(".").glob("core*"):
        raise AssertionError(f"a core dump: {pid_file}")


@pytest.mark.parametrize("options", [
    {"url": "htp://127.0.0.1/${API_TOKEN}"}, {"timeout": "${API_TOKEN}"},
    {"headers": {"A b": "${API_TOKEN}"}}, {"rate": "${API_TOKEN}${API_TOKEN}"},
    {"fields": {"price": "${API_TOKEN}"}}])
def test_complaints_without_tokens(windrow, pipeline, sqlite, options):
    """A mistake is told without the value of a variable that sounds secret,
    however long."""
    for secret in (SECRET, SECRET * 20):
        path = pipeline(harness.pipeline(
            harness.source("values", input_values=KEYS),
            harness.quotes(**options),
            harness.store()))
        result = windrow("check", path, env={"API_TOKEN": secret, "YAHOO_URL":
                                             "http://127.0.0.1:1"})
        assert result.status == 2 and result.err, result
        assert SECRET[:12] not in result.text, result


def test_a_node_says_no_password_either(tmp_path):
    """Started by hand, where no master masks what it says."""
    for url in (f"postgresql://u:{SECRET}@127.0.0.1:1/x",
                f"postgresql://u:{SECRET}%zz@127.0.0.1:1/x",
                f"postgresql://u:{SECRET}@:-1/x", f"mysql://u:{SECRET}@h/x"):
        done = subprocess.run(
            [harness.BUILD / "windrow-node", "--connect",
             f"ipc://{tmp_path}/none"], capture_output=True, text=True,
            timeout=30, env={**os.environ, "DATABASE_URL": url,
                             "WINDROW_DATABASE_WAIT": "1s",
                             "WINDROW_LOG_LEVEL": "debug"})
        assert done.returncode in (2, 4) and done.stderr, done
        assert SECRET not in done.stdout + done.stderr, done


class Ear:
    """Hears what the loopback carries to and from some TCP ports."""

    def __init__(self, *ports):
        self.ports, self.heard, self.over = set(ports), bytearray(), False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # its buffer
        self.socket.bind(("lo", 0x0800))  # IPv4
        self.socket.settimeout(0.1)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while not self.over:
            with contextlib.suppress(TimeoutError):
                packet = self.socket.recv(70000)
                tcp = packet[(packet[0] & 15) * 4:]
                ports = {int.from_bytes(tcp[i:i + 2], "big") for i in (0, 2)}
                if packet[0] >> 4 == 4 and ports & self.ports:
                    self.heard += tcp[(tcp[12] >> 4) * 4:]

    def end(self):
        self.over = True
        self.thread.join()
        self.socket.close()
        return bytes(self.heard)


@pytest.mark.skipif(os.getuid() != 0, reason="only root hears the loopback")
@pytest.mark.parametrize("with_keys", [False, True], ids=["plain", "keys"])
def test_messages_without_secrets(starter, windrow, postgres, pipeline, serve,
                                  tmp_path, with_keys):
    """What goes between master and node holds no secret; with keys, nothing
    at all that can be read."""
    keys = tmp_path / "keys" if with_keys else None
    if with_keys:
        assert windrow("keygen", keys).status == 0
    cluster = Network(starter, postgres, keys)
    cluster.settings = {"API_TOKEN": SECRET, "WINDROW_LOG_LEVEL": "debug"}
    server = serve()
    path = pipeline(ask(f"http://127.0.0.1:{server.port}/{{key}}", headers={
        "Authorization": "Bearer ${API_TOKEN}"}))
    first, tasks = (int(place.rpartition(":")[2])
                    for place in (cluster.place, free_place()))
    ear = Ear(first, first + 1, tasks, tasks + 1)
    node = cluster.node("--once")
    result = cluster.master("run", path, "--task-ports",
                            f"{tasks}-{tasks + 1}").wait()
    said = node.wait(10)
    heard = ear.end()
    assert result.status == 0 and len(server.requests) == 3, result
    assert server.requests[0][1]["Authorization"].endswith(SECRET)
    assert SECRET.encode() not in heard
    assert (b"${API_TOKEN}" in heard) == (not with_keys), len(heard)
    assert SECRET not in result.text + said.text + repr(result.summary)


def test_no_core_dumps_and_a_filter(start, origin, pipeline, sqlite):
    """Seen from outside: of the master and of its nodes."""
    run = start("run", SP500, "--scale", 2, store=sqlite,
                origin=origin("--latency", "5s"))
    nodes = until(lambda: len(found := run.nodes()) == 2 and found, "nodes")

    def status(pid):
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def limit(pid, name):
        lines = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
        line, = [line for line in lines if line.startswith(name)]
        return line.removeprefix(name).split()[:2]

    for pid in [run.pid, *nodes]:
        until(lambda: status(pid)["NoNewPrivs"] == "1", "no new privileges")
        assert limit(pid, "Max core file size") == ["0", "0"], "done before"
    for pid in nodes:
        if not is_sanitized():
            until(lambda: status(pid)["Seccomp"] == "2", "a filter")
            assert limit(pid, "Max data size")[0] != "unlimited"
        until(lambda: limit(pid, "Max file size") == [str(1 << 40)] * 2,
              "a limit of files")
    os.kill(nodes[0], signal.SIGSEGV)
    until(lambda: len(run.nodes()) == 2 and nodes[0] not in run.nodes(),
          "another node")
    assert not list(run.out.parent.glob("core*"))


def is_sanitized():
    return b"__asan_init" in (harness.BUILD / "windrow-node").read_bytes()


@pytest.mark.parametrize("confine", ["yes", "no"])
def test_confined_or_not_it_works(windrow, origin, store, confine):
    result = windrow("run", SP500, "--scale", 2, store=store, origin=origin(),
                     env={"WINDROW_CONFINE": confine,
                          "WINDROW_LOG_LEVEL": "debug"})
    assert result.status == 0 and store.count() == 503, result
    said = "confined: " if confine == "yes" else "not confined"
    assert said in result.err, result


def test_a_word_for_confine_that_is_none(windrow, origin, sqlite):
    result = windrow("run", SP500, store=sqlite, origin=origin(),
                     env={"WINDROW_CONFINE": "maybe"})
    assert result.status == 2 and "WINDROW_CONFINE" in result.err, result


def test_a_file_that_may_grow_no_further(windrow, origin, sqlite):
    """The store's limit is a full disk: waited for, then resumable."""
    server = origin("--count", 20000)
    path = "run", SP500, "--scale", 2, "--limit", 19000
    result = windrow(*path, store=sqlite, origin=server,
                     env={"WINDROW_NODE_FILE": "1MiB",
                          "WINDROW_DATABASE_WAIT": "1s"})
    assert result.status == 4 and "resume" in result.err, result
    result = windrow("resume", 1, store=sqlite, origin=server)
    assert result.status == 0, result
    assert sqlite.count() == 19000


def test_bodies_that_do_not_fit_its_memory(windrow, origin, pipeline, store):
    """Ten bodies of 32 MB are under way in 64 MiB: what was taken on beside
    them is not lost, each key ends, and the master takes no harm."""
    keys = [f"K{i:07}" for i in range(1, 41)]
    huge = keys[::4]
    server = origin("--count", len(keys), "--huge-bytes", 32_000_000,
                    "--latency", "50ms", "--fault", f"huge@{','.join(huge)}")
    path = pipeline(
        harness.source("values", input_values=keys),
        harness.quotes(instances=40, body_max="256MiB",
                       retry={"attempts": 2}),
        harness.store())
    result = windrow("run", path, "--scale", 1, store=store, origin=server,
                     timeout=120, env={"WINDROW_NODE_MEMORY": "64MiB"})
    assert result.status == 3, result
    failures = store.failures()
    assert set(failures) == set(huge), failures
    if not is_sanitized():  # whose shadow memory would count, so has no limit
        assert "internal" in failures.values(), "all of it fitted"
    assert store.count() == len(keys) - len(huge)


def test_another_file_is_read_from(windrow, origin, pipeline, cluster,
                                   tmp_path):
    """Reading an SQLite file in WAL mode writes beside it, which the master
    allows to its nodes; a node by itself says what to do."""
    folder = tmp_path / "other"
    folder.mkdir()
    keys = harness.SqliteStore(folder / "keys.db")
    keys.execute("PRAGMA journal_mode = WAL")
    keys.execute("CREATE TABLE keys (k TEXT)")
    keys.execute("INSERT INTO keys VALUES ('AAPL'), ('MMM')")
    path = pipeline(harness.source("sql", database=keys.url,
                                   query="SELECT k FROM keys"),
                    harness.quotes(), harness.store())
    store = cluster.database()
    result = windrow("run", path, store=store, origin=origin())
    assert result.status == 0 and store.count() == 2, result


# Names in SQL.

HOSTILE = ['x"; DROP TABLE innocent; --', "x'; DROP TABLE innocent; --",
           'x" integer); DROP TABLE innocent; --', 'a"b', "a\\b", "a%sb$1?1",
           "a--b", "select", "ünïcödé\u202e", "x" * 63, "x" * 64, "é" * 40]


def name_cases():
    for name in HOSTILE:
        yield pytest.param({"column": name}, id=f"column {name[:30]}")
        yield pytest.param({"table": name}, id=f"table {name[:30]}")
    for name in HOSTILE[:2]:
        yield pytest.param({"table": "public." + name}, id=f"schema {name}")
        yield pytest.param({"field": name}, id=f"field {name}")
        yield pytest.param({"queue": name}, id=f"queue {name}")
        yield pytest.param({"pipeline": name}, id=f"pipeline {name}")
        yield pytest.param({"worker": name}, id=f"worker {name}")
        yield pytest.param({"key": name}, id=f"key {name}")


@pytest.mark.parametrize("names", name_cases())
def test_hostile_names(windrow, pipeline, store, serve, names):
    """A name is refused before anything starts, or it is just a name; nothing
    in it is executed. What a server sends is just a value."""
    store.execute("CREATE TABLE innocent (n integer)")
    server = serve()
    queue = names.get("queue", "prices")
    field = names.get("field", "price")
    table, column = names.get("table", "t"), names.get("column", "c")
    keys = [names.get("key", "A"), "B"]
    path = pipeline(harness.pipeline(
        harness.source("values", input_values=keys,
                       name=names.get("worker", "source")),
        harness.quotes(output_queues=[queue], fields={field: "/price"},
                       url=f"http://127.0.0.1:{server.port}/{{key}}"),
        harness.store(queue, table=table, **{column: field, "k": "key"}),
        queues=("symbols", queue), name=names.get("pipeline", "test")))
    result = windrow("run", path, "--scale", 1, store=store)
    assert store.query("SELECT count(*) FROM innocent") == [(0,)]
    assert result.status in (0, 2), result
    if result.status == 2:
        assert path.name in result.err, result
        return
    quoted = ".".join('"' + part.replace('"', '""') + '"'
                      for part in table.split("."))
    column = column.replace('"', '""')
    rows = store.query(f'SELECT k, CAST("{column}" AS text) FROM {quoted}')
    assert sorted(rows) == sorted((key, "1.5") for key in keys)


@pytest.mark.parametrize("value", HOSTILE[:4] + ["a\u0000b", "{1,2}", "NULL",
                                                 "\\N", "', now(), '"])
def test_hostile_values(windrow, pipeline, store, serve, value):
    """Text that a server sends is stored as it is; NUL, which PostgreSQL can't
    hold, is a recorded failure."""
    store.execute("CREATE TABLE innocent (n integer)")

    server = serve(body=json.dumps({"text": value}).encode())
    path = pipeline(harness.pipeline(
        harness.source("values", input_values=["A"]),
        harness.quotes(fields={"text": {"at": "/text", "type": "text"}},
                       url=f"http://127.0.0.1:{server.port}/{{key}}"),
        harness.store(table="t", k="key", v="text")))
    result = windrow("run", path, "--scale", 1, store=store)
    assert store.query("SELECT count(*) FROM innocent") == [(0,)]
    if "\0" in value:
        assert result.status == 3, result
    else:
        assert result.status == 0, result
        assert store.query("SELECT k, v FROM t") == [("A", value)]
