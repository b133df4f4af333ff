"""Reads config.pbtxt by Triton's own protobuf, a text a line; runs in the environment of `triton_python`."""

from __future__ import annotations

import json
import sys

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

for line in sys.stdin:
    try:
        message = text_format.Parse(json.loads(line), model_config_pb2.ModelConfig())
        answer = json_format.MessageToDict(message, preserving_proto_field_name=True)
    except text_format.ParseError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
