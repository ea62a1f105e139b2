"""A search process for tests: as `python -m mlhub.hashing.search --serve`, without a model.

The query says what it does:

die, hang: as they say · nothing: no results · hostile: captions that would write to the terminal
anything else: pictures of the folder's `images`, captioned with the query
"""

import json
import os
import sys
import time

folder = sys.argv[1]
if os.path.exists(f"{folder}/refuse"):
    sys.stderr.write("warning: something\nerror: no memory for the model\nhint: none\n")
    sys.exit(1)


def say(tree):
    sys.stdout.write(json.dumps(tree) + "\n")
    sys.stdout.flush()


say({"event": "opened", "index": {}})
say({"event": "loading", "what": "model"})
while os.path.exists(f"{folder}/slow"):
    time.sleep(0.02)
say({"event": "ready"})
for line in sys.stdin:
    request = json.loads(line)
    words = request.get("text") or request["image"]
    if words == "die":
        os._exit(3)
    if words == "hang":
        time.sleep(60)
    images = f"{request['index']}/images"
    names = sorted(os.listdir(images))[: request["k"]] if words != "nothing" else []
    caption = "\x1b]0;owned\x07[red]x[/]\u202e\x9b2J" if words == "hostile" else words
    results = [
        {
            "rank": rank, "id": name, "image": f"{images}/{name}", "caption": f"{caption} {rank}",
            "captions": [f"{caption} {rank}", "웃는 얼굴", "😀 grin"], "labels": ["label"],
            "distance": rank, "score": 1 - rank / 100,
        }
        for rank, name in enumerate(names, 1)
    ]  # fmt: skip
    answer = {
        "query": words, "modality": "text" if request.get("text") else "image", "to": request["to"],
        "bits": request["bits"] or 64, "index": {"count": 99}, "took_ms": 1.5, "results": results,
        "warnings": ["data set shapes has changed"] if words == "warn" else [],
    }  # fmt: skip
    say({"id": request["id"], "answer": answer})
