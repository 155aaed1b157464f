"""What a session does with its Python, one small check each: `python -c THIS NAME`.

A check prints facts as NAME=VALUE lines and returns; the last line "done=NAME" is what the harness waits for.
"""

import sys


def tls_context():
    """The interpreter's OpenSSL reads the image's certificates and would verify a peer with them."""
    import ssl

    bundle = sys.argv[2]
    context = ssl.create_default_context(cafile=bundle)
    count = context.cert_store_stats()["x509_ca"]
    print(f"openssl={ssl.OPENSSL_VERSION}")
    print(f"ca-certificates={count}")
    assert count > 20, f"only {count} CA certificates could be read from {bundle}"
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname


def zone_data():
    """Time zones come from the image."""
    import datetime
    import zoneinfo

    zone = zoneinfo.ZoneInfo("Asia/Seoul")
    offset = datetime.datetime(2024, 1, 1, tzinfo=zone).utcoffset()
    print(f"seoul-offset={offset}")
    assert offset == datetime.timedelta(hours=9), offset


def sqlite_query():
    import sqlite3

    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table t (n integer)")
        connection.executemany("insert into t values (?)", [(n,) for n in range(100)])
        (total,) = connection.execute("select sum(n) from t where n % 2 = 0").fetchone()
    print(f"sqlite={sqlite3.sqlite_version}")
    assert total == 2450, total


def subprocess_pipe():
    import subprocess

    done = subprocess.run(["/bin/sh", "-c", "cat; exit 3"], input=b"through a pipe", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b"through a pipe"), done


def threads():
    import concurrent.futures
    import threading

    barrier = threading.Barrier(4, timeout=10)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        met = list(pool.map(lambda n: (barrier.wait(), n * n)[1], range(4)))
    assert met == [0, 1, 4, 9], met


def asyncio_uvloop():
    """uvloop runs asyncio: a TCP echo, a subprocess, a timer."""
    import asyncio

    import uvloop

    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main():
        assert type(asyncio.get_running_loop()).__module__.startswith("uvloop"), asyncio.get_running_loop()
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await asyncio.wait_for(reader.readline(), 10) == b"hello\n"
        writer.close()
        server.close()
        child = await asyncio.create_subprocess_exec("/bin/sh", "-c", "exit 4")
        assert await asyncio.wait_for(child.wait(), 10) == 4
        await asyncio.sleep(0.001)

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())
    print(f"uvloop={uvloop.__version__}")


def zmq_socket_pair():
    """The kernel runner's own pattern: PUSH to PULL over TCP."""
    import zmq

    context = zmq.Context()
    pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    port = pull.bind_to_random_port("tcp://127.0.0.1")
    push.connect(f"tcp://127.0.0.1:{port}")
    push.send_multipart([b"run", b"print(1)"])
    assert pull.poll(10000), "no message within 10 s"
    message = pull.recv_multipart()
    push.close(linger=0)
    pull.close(linger=0)
    context.term()
    print(f"libzmq={zmq.zmq_version()}")
    assert message == [b"run", b"print(1)"], message


def libc_version():
    import platform

    # What musl's loader says of itself: platform.libc_ver() does not know musl before Python 3.14.
    with open("/proc/self/maps", encoding="utf-8") as maps:
        musl = next((line.split()[-1] for line in maps if "/ld-musl-" in line), None)
    if musl:
        import subprocess

        words = subprocess.run([musl], capture_output=True, text=True, check=False).stderr.split()
        name, version = "musl", words[words.index("Version") + 1]
    else:
        name, version = platform.libc_ver()
    print(f"libc={name} {version}")


def pip_tags():
    """The newest platform tags that pip would take inside."""
    from pip._vendor.packaging import tags

    newest = next(tags.sys_tags()).platform
    legacy = [tag.platform for tag in tags.sys_tags() if tag.platform.startswith(("manylinux20", "musllinux"))]
    print(f"newest-platform={newest}")
    print(f"newest-named={legacy[0] if legacy else 'none'}")


name = sys.argv[1]
globals()[name.replace("-", "_")]()
print(f"done={name}")
