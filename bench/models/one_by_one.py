"""One after another: ask, wait, compute; then the next."""
import requests

from answer import arguments, told


def main():
    urls, take, _ = arguments()
    session = requests.Session()  # keeps its connection
    told([take(session.get(url, timeout=60).content) for url in urls])


if __name__ == "__main__":
    main()
