"""The peer of the drain: a urllib3 pool of 8 threads, posting the same bodies without a journal.

`python -m tests.bench.thread_pool PORT CA_FILE COUNT`; the host measures. Written as anybody would:
one PoolManager for all threads, kept connections, every answer parsed and looked at. Nothing is
stored, so nothing is safe.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import urllib3

from tests.bench.payments import headers, text

WINDOW = 8


def main(port: int, ca_file: str, count: int) -> None:
    url = f"https://localhost:{port}/pay"
    pool = urllib3.PoolManager(maxsize=WINDOW, block=True, ca_certs=ca_file, timeout=30.0)

    def post(number: int) -> bool:
        key = f"peer-{number:08d}"
        answer = pool.request("POST", url, body=text(number).encode(), headers=headers(key))
        told = answer.json()
        return told["status"] == "posted" and told["key"] == key

    with ThreadPoolExecutor(WINDOW) as threads:
        posted = sum(threads.map(post, range(count)))
    pool.clear()
    if posted != count:
        raise SystemExit(f"{count - posted} posts failed")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
