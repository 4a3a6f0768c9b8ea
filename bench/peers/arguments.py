"""The arguments that all peers take, and what they ask for."""
import argparse

PATH = "/v8/finance/chart/"
ASKED = "?range=1d&interval=1d"
USER_AGENT = "Mozilla/5.0 (compatible; peer/1.0)"
COLUMNS = ("symbol", "price", "extracted_time")
BATCH_ROWS = 512
TIMEOUT_S = 30


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True, help="scheme, host, port")
    parser.add_argument("--keys", required=True, help="file, a key a line")
    parser.add_argument("--dsn", required=True, help="of PostgreSQL")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--cores", type=int, default=1,
                        help="where the peer can use more than one")
    parser.add_argument("--uvloop", action="store_true")
    return parser.parse_args()


def read_keys(path):
    with open(path, encoding="utf-8") as lines:
        return [line.strip() for line in lines]
