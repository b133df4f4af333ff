"""Ask a server of the Open Inference Protocol what some texts want: `python ask.py http://127.0.0.1:8000 intents`."""

from __future__ import annotations

import json
import sys
import time
from urllib.error import URLError
from urllib.request import Request, urlopen

TEXTS = [[17, 4, 250, 0], [3, 99, 8, 41]]


def wait_until_ready(server: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urlopen(f"{server}/v2/health/ready"):
                return
        except URLError:
            time.sleep(0.2)
    raise SystemExit(f"{server} is not ready after {seconds:.0f} s")


def answer(server: str, model: str, texts: list[list[int]]) -> dict[str, list[float]]:
    words = {"name": "words", "datatype": "INT64", "shape": [len(texts), len(texts[0])], "data": texts}
    body = json.dumps({"inputs": [words]}).encode()
    with urlopen(Request(f"{server}/v2/models/{model}/infer", body)) as response:
        outputs = json.load(response)["outputs"]
    return {output["name"]: output["data"] for output in outputs}


if __name__ == "__main__":
    server, model = sys.argv[1:]
    wait_until_ready(server)
    found = answer(server, model, TEXTS)
    for row, certainty in enumerate(found["certainty"]):
        scores = found["scores"][6 * row : 6 * row + 6]
        print(f"text {row}: intent {scores.index(max(scores))}, certainty {certainty:.3f}")
