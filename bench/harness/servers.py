"""What clients are measured against: nginx, the bundled origin, PostgreSQL.

Each is started for the benchmark, in a folder of its own, with a port or
socket of its own, and ended with it.
"""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from harness import tools
from harness.processes import Process
from harness.tools import Failed, Missing

PATH = "/v8/finance/chart/"
ASKED = "?range=1d&interval=1d"

# Keys are K0000001, K0000002, ...; the price of key n is 10000 + n / 1000,
# with three decimals. So what was stored can be checked row by row, and no
# file a key is needed.
ANSWER = (
    '{"chart":{"result":[{"meta":{"currency":"USD","symbol":"$1",'
    '"exchangeName":"NYQ","fullExchangeName":"NYSE","instrumentType":"EQUITY",'
    '"firstTradeDate":345479400,"regularMarketTime":1786132801,'
    '"hasPrePostMarketData":true,"gmtoffset":-14400,"timezone":"EDT",'
    '"exchangeTimezoneName":"America/New_York","longName":"Company $1",'
    '"shortName":"$1","regularMarketPrice":1$2.$3,"fiftyTwoWeekHigh":1363.69,'
    '"fiftyTwoWeekLow":763.1,"regularMarketDayHigh":1072.69,'
    '"regularMarketDayLow":1054.5,"regularMarketVolume":461828,'
    '"chartPreviousClose":1064.69,"priceHint":2,"currentTradingPeriod":'
    '{"pre":{"timezone":"EDT","start":1786089600,"end":1786109400,'
    '"gmtoffset":-14400},"regular":{"timezone":"EDT","start":1786109400,'
    '"end":1786132800,"gmtoffset":-14400},"post":{"timezone":"EDT",'
    '"start":1786132800,"end":1786147200,"gmtoffset":-14400}},'
    '"dataGranularity":"1d","range":"1d","validRanges":["1d","5d","1mo",'
    '"3mo","6mo","1y","2y","5y","10y","ytd","max"]},"timestamp":[1786132801],'
    '"indicators":{"quote":[{"low":[1054.5],"volume":[461828],'
    '"open":[1063.25],"high":[1072.75],"close":[1065.0999755859375]}],'
    '"adjclose":[{"adjclose":[1065.0999755859375]}]}}],"error":null}}')

NGINX = """\
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    tcp_nodelay on;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=4096{secure};
        {certificate}
        location ~ "^{path}(K(\\d{{4}})(\\d{{3}}))$" {{
            return 200 '{answer}';
        }}
        location = /ready {{ return 200 "ready"; }}
        location / {{ return 404 "{{}}"; }}
    }}
}}
"""

CERTIFICATE = ("ssl_certificate {folder}/cert.pem; "
               "ssl_certificate_key {folder}/key.pem;")


def write_keys(file, count):
    with open(file, "w", encoding="ascii") as out:
        out.writelines(f"K{number:07}\n" for number in range(1, count + 1))
    return file


def wait_for(url, process, seconds=20, context=None):
    """Until it answers; False where its process has ended before."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if process.has_ended():
            return False
        try:
            with urllib.request.urlopen(url, timeout=5,
                                        context=context) as answer:
                answer.read()
            return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.02)
    raise Failed(f"{process.name} does not answer at {url}: {process.said()}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class SharedMemory:
    """A folder in memory, as if it were a server: it ends too."""

    def __init__(self):
        if not os.path.isdir("/dev/shm"):
            raise Missing("/dev/shm is missing")
        self.folder = pathlib.Path(tempfile.mkdtemp(
            prefix="windrow-bench-", dir="/dev/shm"))

    def end(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def write_certificate(folder):
    """cert.pem and key.pem, signed by itself, for 127.0.0.1."""
    made = subprocess.run(
        [tools.program("openssl"), "req", "-x509", "-newkey", "rsa:2048",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"], capture_output=True, text=True,
        check=False)
    if made.returncode:
        raise Failed("no certificate: " + made.stderr.strip())
    return folder / "cert.pem"


class Nginx:
    """One worker of nginx, whose answers are out of memory; with `secure`
    over TLS, HTTP/1.1 or 2 as the client likes, `ca` its certificate."""

    TRIES = 5  # another program may take the free port before nginx does

    def __init__(self, folder, cores, secure=False):
        program = tools.program("nginx")
        folder.mkdir()
        folder.chmod(0o755)  # a worker started by root is another user
        self.ca = write_certificate(folder) if secure else None
        context = ssl.create_default_context(cafile=self.ca)
        for _ in range(self.TRIES):
            port = free_port()
            (folder / "nginx.conf").write_text(NGINX.format(
                folder=folder, port=port, path=PATH, answer=ANSWER,
                secure=" ssl http2" if secure else "",
                certificate=CERTIFICATE.format(folder=folder)
                if secure else ""))
            self.process = Process(
                [program, "-p", folder, "-c", folder / "nginx.conf", "-g",
                 "daemon off;"], folder, cores, death=signal.SIGTERM)
            self.url = f"http{'s' if secure else ''}://127.0.0.1:{port}"
            if wait_for(self.url + "/ready", self.process, context=context):
                return
        raise Failed("nginx does not start: " + self.process.said())

    def cpu(self):
        return self.process.cpu()

    def end(self):
        self.process.end()


class Origin:
    """The bundled origin, with the options given: latency, faults."""

    def __init__(self, folder, cores, *arguments):
        program = tools.program("windrow-origin")
        folder.mkdir()
        port = folder / "port"
        self.process = Process(
            [program, "--port-file", port, *arguments], folder, cores)
        limit = time.monotonic() + 20
        while not (port.exists() and port.read_text().strip()):
            if self.process.has_ended() or time.monotonic() > limit:
                raise Failed("windrow-origin does not start: "
                             + self.process.said())
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{port.read_text().strip()}"

    def cpu(self):
        return self.process.cpu()

    def end(self):
        self.process.end()


class Postgres:
    """A server of PostgreSQL on a Unix socket, as durable as by default."""

    SETTINGS = {"listen_addresses": "", "max_connections": 100,
                "shared_buffers": "256MB", "max_wal_size": "4GB",
                "timezone": "UTC", "autovacuum": "off"}
    TABLE = ("CREATE TABLE prices (id serial PRIMARY KEY,"
             " symbol text NOT NULL, price numeric NOT NULL,"
             " extracted_time timestamptz NOT NULL)")

    def __init__(self, folder, cores, **settings):
        self.bin = tools.postgres_programs()
        self.psql = tools.program("psql")
        self.folder = folder
        folder.mkdir()
        as_user, until_death = [], ["setpriv", "--pdeathsig=QUIT"]
        if os.getuid() == 0:  # which PostgreSQL refuses to run as
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres",
                       "--init-groups"]
            until_death = [*as_user, "--pdeathsig=QUIT"]
        subprocess.run(
            [*as_user, self.bin / "initdb", "-D", folder / "data", "-U",
             "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
             "--no-sync"], check=True, capture_output=True, cwd="/")
        options = [f"--{name}={value}"
                   for name, value in {**self.SETTINGS, **settings}.items()]
        self.process = Process(
            [*until_death, self.bin / "postgres", "-D", folder / "data",
             *options, f"--unix_socket_directories={folder}"], folder, cores,
            name="postgres")
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        self.wait()

    def wait(self):
        ready = [self.bin / "pg_isready", "-q", "-h", self.folder]
        limit = time.monotonic() + 30
        while subprocess.run(ready, check=False).returncode:
            if self.process.has_ended() or time.monotonic() > limit:
                raise Failed("PostgreSQL does not start: "
                             + self.process.said())
            time.sleep(0.05)

    def sql(self, text):
        """The first column of the first row, as text."""
        done = subprocess.run(
            [self.psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url],
            input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed("PostgreSQL: " + done.stderr.strip())
        return done.stdout.strip().split("\n")[0].split("|")[0]

    def clear(self):
        """An empty table prices, and none of Windrow's; what was written
        before is on the disk and does not disturb what comes."""
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
                 f"{self.TABLE}; CHECKPOINT")

    def check(self, count, exactly=True):
        """Failed unless each key's row is there once, with its price: where
        nginx has answered, the very digits. `count` is that of the keys."""
        wrong = self.sql(
            "SELECT concat_ws(', ', count(*), count(DISTINCT symbol)"
            + (", count(*) FILTER (WHERE price ="
               " 10000 + substr(symbol, 2)::numeric / 1000)"
               if exactly else "") + ") FROM prices")
        if set(wrong.split(", ")) != {str(count)}:
            raise Failed(f"of {count} rows there are (all, different keys, "
                         f"right prices): {wrong}")

    def cpu(self):
        return self.process.cpu()

    def end(self):
        self.process.end(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)
