"""The Open Inference Protocol (KServe's V2) over HTTP, which clients of Triton, KServe and MLServer speak.

Nothing here serves or runs anything: bytes become arrays, arrays become bytes. `requests.decode` reads what a client
sends, `responses.encode` writes what it gets, `metadata` has the answers that are about a model.
"""
