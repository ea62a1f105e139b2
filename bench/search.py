"""Time the resident search process, as the screen asks it: starting, first query, second, median and worst of 50.

    python bench/search.py INDEX_FOLDER [--pictures]

From `ask` to the answer in the client's hands: pipe, encoding, ranking, JSON, cleaning; with `--pictures` also decoding
the first 24 into half blocks, which the screen does while it already shows the captions. An index is made by
`mlhub data prepare emoji && mlhub run quickstart --wait && mlhub index`; its folder is `runs/ID/index` of the home.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median

from mlhub.settings import Settings
from mlhub.tui.search.client import Query, SearchClient
from mlhub.tui.search.thumbnails import Wanted, draw

QUERIES = ("a dog", "강아지", "red heart", "웃는 얼굴", "rocket", "pizza", "비행기", "tree", "music", "고양이")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("--pictures", action="store_true")
    options = parser.parse_args()
    client = SearchClient(Settings.load().to_home())
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    start = time.perf_counter()
    client.warm(options.index)
    while client.state != "ready":
        time.sleep(0.01)
    print(f"started        {time.perf_counter() - start:6.2f} s")
    times = [1000 * ask(client, Query(QUERIES[number % len(QUERIES)], options.index)) for number in range(52)]
    rest = sorted(times[2:])
    print(f"first query    {times[0]:6.1f} ms")
    print(f"second query   {times[1]:6.1f} ms")
    print(f"median of 50   {median(rest):6.1f} ms, worst {rest[-1]:.1f} ms")
    by_image = client.answer.hits[0].image if client.answer else Path()
    asked = [1000 * ask(client, Query(str(by_image), options.index)) for _ in range(10)]
    print(f"by an image    {median(asked):6.1f} ms, worst {max(asked):.1f} ms")
    if options.pictures and client.answer:
        start = time.perf_counter()
        for hit in client.answer.hits[:24]:
            draw(Wanted(hit.image, 14, 7, "24bit", whole=True))
        print(f"24 pictures    {1000 * (time.perf_counter() - start):6.1f} ms")
    client.close()


def ask(client: SearchClient, query: Query) -> float:
    """Seconds until the answer is there."""
    start = time.perf_counter()
    client.ask(query)
    while (reply := client.answer) is None or reply.query is not query:
        time.sleep(0.0002)
    if reply.error:
        raise SystemExit(f"{reply.error}: {reply.hint}")
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
