"""The text that all scripts share: `str.format` templates."""

from __future__ import annotations

LIVE = """
--model names a function that returns the live model when it is called without arguments: nav_model is a pytest
fixture, and a fixture cannot be called. Its module has to be importable: PYTHONPATH=FOLDER bash {name}.sh ...
"""

READ = '''
def read(path: str, types: dict) -> dict:
    """Return the arrays of a file by name."""
    with np.load(path) as file:
        return {name: np.array(file[name], kind, order="C") for name, kind in types.items()}
'''

READ_ROW = '''
def read_row(path: str, types: dict) -> dict:
    """Return a row by name; it is stored without its batch axis."""
    return {name: np.expand_dims(a, BATCH_DIM) if name in BATCHED else a for name, a in read(path, types).items()}
'''

LOAD_MODEL = '''
def load_model(name: str) -> object:
    """Call the function that --model names, with the random states as nav_model found them."""
    module, _, function = name.partition(":")
    random.seed({seed})
    np.random.seed({seed})
    {seeding}
    return getattr(importlib.import_module(module), function)()
'''

COMPARE = '''
def main() -> None:
    """Run every recorded sample and compare."""
    args = arguments()
    {load}
    outputs = {rules}
    for path in {all}:
        {reading}
        found = infer(model, inputs)
        if found.keys() != outputs.keys():
            sys.exit(f"FAILED: the outputs are {{list(found)}}, the source has {{list(outputs)}}")
        for name, output in outputs.items():
            output.add(expected[name], found[name])
    for name, output in outputs.items():
        print(f"{{name}}: max abs {{output.max_abs}}, max rel {{output.max_rel}}: {{output.verdict()}}")
    sys.exit(any(output.verdict() != "passed" for output in outputs.values()))
'''

READING_ROWS = """load = read_row if path in ROWS else read
inputs, expected = load(f"model_input/{path}", INPUTS), load(f"model_output/{path}", OUTPUTS)"""
READING = 'inputs, expected = read(f"model_input/{path}", INPUTS), read(f"model_output/{path}", OUTPUTS)'

INFER = '''
def infer(model, feed: dict) -> dict:
    """Run one inference; arrays by name."""
    {prepare}
    {call}
    return {outputs}
'''

PROFILE = '''
def main() -> None:
    """Time the bare call; the first tenth of the inferences is the warm-up."""
    args = arguments()
    {load}
    feed = read({batch!r}, INPUTS)
    {resize}
    {prepare}
    {timing}
    latencies = latencies[max(1, len(latencies) // 10) :]
    print(f"{{len(latencies)}} inferences: p50 {{np.median(latencies):.6g}} ms, avg {{np.mean(latencies):.6g}} ms")
'''

TIMING = """latencies = []
end = time.perf_counter() + args.seconds
while len(latencies) < 6 or time.perf_counter() < end:
    begin = time.perf_counter()
    {call}
    latencies.append((time.perf_counter() - begin) * 1000)"""

RESIZE = """if args.batch_size:
    rows = np.arange(args.batch_size)
    feed = {{n: a.take(rows % a.shape[{dim}], axis={dim}) if n in {batched} else a for n, a in feed.items()}}"""

MAKE = '''
def main() -> None:
    """{title}"""
    args = arguments()
    batch = read({batch!r}, INPUTS)
    {load}
    {body}
    print(f"written: {{args.output}}")
'''
