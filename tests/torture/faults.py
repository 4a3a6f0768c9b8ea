"""What must become of a key whose site answers with each fault of the origin.

One table: for each kind of fault, how a key ends that is answered like this
each time, when asked for as JSON (the chart) and as HTML (the quote page).
"stored" means with the right digits. A pair (SQLite, PostgreSQL) is for what
only the database can tell. The tests read this and nothing else, so it is
also the place to look up what Windrow does about a fault.
"""
import collections

STORED = "stored"

Fault = collections.namedtuple("Fault", "json html digits")


def fault(json, html=None, digits=None):
    """`digits`: what is stored in place of the price that the site has."""
    return Fault(json, html or json, digits)


FAULTS = {
    # A status, or a refusal.
    "403": fault("http_status"),
    "404": fault("not_found"),
    "429": fault("refused"),
    "429-retry-after": fault("refused"),
    "too-many-requests-200": fault("refused"),
    "500": fault("http_error"),
    "503": fault("http_error"),
    "204": fault("not_json", "not_html"),
    "206": fault("http_error"),
    "304": fault("http_status"),
    # Redirects.
    "redirect": fault(STORED),
    "redirect-chain": fault(STORED),
    "redirect-loop": fault("bad_redirect"),
    "redirect-file": fault("bad_redirect"),
    "redirect-away": fault("connect"),
    # The connection.
    "reset": fault("cut_short"),
    "close": fault("cut_short"),
    "close-after-head": fault("cut_short"),
    "truncated": fault("cut_short"),
    "stale": fault(STORED),
    # Time.
    "stall": fault("timed_out"),
    "drip": fault("timed_out"),
    "drip-head": fault("timed_out"),
    "length-long": fault("timed_out"),
    "slow": fault(STORED),
    # Size.
    "huge": fault("too_large"),
    "huge-length": fault("too_large"),
    "gzip-bomb": fault("too_large"),
    "gzip-bomb-nested": fault("too_large"),
    "headers-many": fault("too_large"),
    "header-long": fault("too_large"),
    "1xx-flood": fault("too_large"),
    # HTTP that is none.
    "1xx": fault(STORED),
    "encoding-wrong": fault("cut_short"),
    "encoding-unknown": fault("cut_short"),
    "length-short": fault("not_json", "field_missing"),
    "length-bad": fault("cut_short"),
    "chunked-bad": fault("cut_short"),
    "http-0.9": fault("cut_short"),
    # Content.
    "garbage": fault("not_json", "not_html"),
    "wrong-type": fault("not_json", "field_missing"),
    "no-field": fault("field_missing"),
    "null-field": fault("field_null", "field_type"),
    "deep": fault(STORED, "too_large"),
    "long-tag": fault(STORED, "not_html"),
    "bad-utf8": fault("not_json", "not_html"),
    "nul": fault("not_json", "not_html"),
    "utf-16": fault("not_json", "not_html"),
    "duplicate": fault(STORED),
    "number-huge": fault((STORED, "database_refused"), digits="1e200000"),
    "number-tiny": fault(STORED, digits="1e-400"),
    "number-minus-zero": fault(STORED, digits="-0"),
    "number-nan": fault("not_json", "field_type"),
    "number-infinity": fault("not_json", "field_type"),
}

# Tried again, as long as there are tries left; proto/ledger/reason.h.
RETRIED = {"dns", "connect", "timed_out", "cut_short", "refused", "http_error",
           "not_json", "not_html", "internal"}

# Not an attempt of its own: the next request goes on with the same one. The
# fourth is one too many.
REDIRECTS = {"redirect", "redirect-chain", "redirect-loop"}

# No attempt where the connection was kept from before: libcurl asks again by
# itself.
UNCOUNTED = {"close", "reset", "stale"}


def outcome(kind, page, store):
    """Of a key that meets this at each request: "stored", or the reason."""
    found = getattr(FAULTS[kind], page)
    if isinstance(found, tuple):
        found = found[store.kind == "postgres"]
    return found


def digits(kind, sent):
    return FAULTS[kind].digits or sent
