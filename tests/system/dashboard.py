"""A running `windrow dashboard`, and what it is asked."""
import http.client
import json
import re
import socket
import urllib.parse

from harness import until

SLOWLY = {"YAHOO_RATE": "unlimited", "YAHOO_IN_FLIGHT": "4"}


class Dashboard:
    """`windrow dashboard` at a free port, for this store; or that of a run
    that was started with --dashboard (`process`)."""

    def __init__(self, start, store=None, *arguments, env=None, process=None,
                 place="127.0.0.1:0"):
        self.process = process or start("dashboard", place, *arguments,
                                        store=store, env=env)
        self.url = until(self.listens, "the dashboard listens", 10)
        self.port = urllib.parse.urlsplit(self.url).port

    def listens(self):
        said = self.process.err.read_text("utf-8", "replace")
        found = re.search(r"dashboard at (http://\S+)/", said)
        assert found or self.process.is_running(), said
        return found and found[1]

    def ask(self, path, method="GET", body=None, **headers):
        """Status, headers, text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=10)
        try:
            connection.request(method, path, body, headers={
                name.replace("_", "-"): value
                for name, value in headers.items()})
            answer = connection.getresponse()
            return (answer.status, dict(answer.getheaders()),
                    answer.read().decode())
        finally:
            connection.close()

    def json(self, path, **headers):
        status, answer_headers, text = self.ask(path, **headers)
        assert status == 200, (path, status, text)
        assert answer_headers["Content-Type"] == "application/json"
        return json.loads(text)

    def status(self):
        return self.json("/api/status")

    def master(self, run=1):
        """What is known of this run's master, or None."""
        return next((master for master in self.status()["masters"]
                     if master["run"] == run), None)

    def events(self):
        """Yields what a page is told: name and value."""
        stream = socket.create_connection(("127.0.0.1", self.port),
                                          timeout=10)
        with stream, stream.makefile("rb") as lines:
            stream.sendall(b"GET /api/events HTTP/1.1\r\n"
                           b"Host: localhost\r\n\r\n")
            name = None
            for line in lines:
                if line.startswith(b"event: "):
                    name = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    yield name, json.loads(line[6:])
