"""Import and use what the volume brings, on a CPU that is older than this one: `python -c THIS MODULE...`.

Says what it is about to do ("step=WHAT") before it does it, so that an illegal instruction has a name; the last line "done=cpu"
is what the harness waits for. The data is small: every instruction is emulated.
"""

import importlib
import os
import sys

data = bytes(range(256)) * 16


def step(what):
    print(f"step={what}", flush=True)


def hashing():
    import hashlib

    for name in sorted(hashlib.algorithms_guaranteed - {"scrypt"}):
        digest = hashlib.new(name, data)
        assert (digest.hexdigest(32) if name.startswith("shake") else digest.hexdigest()), name


def compression():
    import zlib

    for name in "zlib", "lzma", "bz2":
        try:
            codec = importlib.import_module(name)
        except ImportError:
            continue  # python.standard-library says whether it must
        assert codec.decompress(codec.compress(data)) == data, name
    assert zlib.crc32(data) and zlib.adler32(data)


def numbers_and_text():
    import json
    import math
    import random

    numbers = [math.sin(n) * random.random() for n in range(1000)]
    assert json.loads(json.dumps(numbers)) == numbers
    assert sum(pow(3, n, 1 << 61) for n in range(100)) and "\u00fc".join("abc" * 1000).encode().decode()


def ssl_context():
    import ssl

    bundle = ssl.get_default_verify_paths().cafile
    if bundle:
        # A few certificates of the image's hundred: natively, runtime.tls-context reads them all.
        end = b"-----END CERTIFICATE-----\n"
        with open(bundle, "rb") as certificates, open("/tmp/few.pem", "wb") as few:
            few.write(end.join(certificates.read().split(end)[:8]) + end)
        os.environ["SSL_CERT_FILE"] = "/tmp/few.pem"
    assert ssl.create_default_context().get_ciphers() and ssl.RAND_bytes(32)


def sqlite3_query():
    import sqlite3

    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table t (n real)")
        connection.executemany("insert into t values (?)", [(n / 3,) for n in range(500)])
        assert connection.execute("select count(*), sum(n) from t where n > 1 order by n").fetchone()[0] == 496


def msgpack_round_trip():
    import msgpack

    value = {"text": "krunner", "numbers": list(range(500)), "real": 0.5, "bytes": data[:1000]}
    assert msgpack.unpackb(msgpack.packb(value)) == value


def zmq_message():
    import zmq

    context = zmq.Context()
    pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    pull.bind("inproc://cpu")
    push.connect("inproc://cpu")
    push.send(data)
    assert pull.recv() == data
    push.close()
    pull.close()
    context.term()


def uvloop_timer():
    import asyncio

    import uvloop

    loop = uvloop.new_event_loop()
    assert loop.run_until_complete(asyncio.wait_for(asyncio.sleep(0.001, "rang"), 30)) == "rang"
    loop.close()


def child_programs():
    """What Python starts is emulated, too."""
    import subprocess

    for command in ["/opt/backend.ai/bin/ttyd", "--version"], ["/bin/sh", "-c", "exit 0"]:
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        assert done.returncode == 0, f"{' '.join(command)}: exit status {done.returncode}"


modules = sys.argv[1:]
for module in modules:
    step(f"import {module}")
    importlib.import_module(module)
for exercise, needs in (
    (hashing, None),
    (compression, None),
    (numbers_and_text, None),
    (ssl_context, "ssl"),
    (sqlite3_query, "sqlite3"),
    (msgpack_round_trip, "msgpack"),
    (zmq_message, "zmq"),
    (uvloop_timer, "uvloop"),
    (child_programs, None),
):
    if needs is None or needs in modules:
        step(exercise.__name__.replace("_", " "))
        exercise()
print("done=cpu")
