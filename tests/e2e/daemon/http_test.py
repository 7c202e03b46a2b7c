#!/usr/bin/env python3
"""The HTTP interface against clients of all sorts. Whatever they send, the daemon answers the next one."""
import json
import random
import socket
import threading

from sandbox import SandboxTest, main, wait_for


class Http(SandboxTest):
    def setUp(self):
        super().setUp()
        self.ok("daemon", "start")
        self.pid = self.daemon_pid()

    def tearDown(self):
        self.assertEqual(self.daemon_pid(), self.pid, "the daemon did not survive")
        super().tearDown()

    def raw(self, data, end=True):
        """Sends bytes, and returns all that comes back."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            answer = b""
            while True:
                try:
                    piece = connection.recv(65536)
                except ConnectionResetError:
                    break
                if not piece:
                    break
                answer += piece
            return answer

    def status(self, data, **options):
        answer = self.raw(data, **options)
        return int(answer.split(b" ", 2)[1]) if answer else None

    def error(self, *words, code):
        return json.loads(self.curl(*words, code=code)[1])["error"]

    def test_malformed_requests(self):
        cases = [b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01\x00", b"\0" * 100,
                 b"GET /v1/info HTTP/1.1\r\nno colon\r\n\r\n", b"GET /v1/info HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                 b"GET /v1/info HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"POST /v1/stop HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
                 b"GET /v1/in\x80fo HTTP/1.1 extra\r\n\r\n"]
        for case in cases:
            self.assertIn(self.status(case), (400, None), case)

    def test_targets(self):
        for target in ("*", "v1/info", "/v1/%zz", "/v1/topologies/a%00b", "/" + "x/" * 20, "/" + "y" * 5000):
            request = "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target
            self.assertIn(self.status(request.encode()), (400, 404), target)
        self.error("--path-as-is", "http://d/v1/topologies/../../etc/passwd", code=404)
        self.error("http://d/v1/topologies/..%2f..%2fetc", code=400)
        self.error("http://d/v1/info?x=1", code=400)
        self.error("http://d/v1/topologies/x?force=true&force=false", "-X", "DELETE", code=400)

    def test_methods(self):
        self.error("-X", "PATCH", "http://d/v1/info", code=405)
        self.error("-X", "BREW", "http://d/v1/topologies", code=405)
        self.error("http://d/nothing", code=404)

    def test_bodies(self):
        for body in ("", "[]", "{", "null", '{"policy": 3}', '{"policy": "x", "colour": 1}', "[" * 10000,
                     '{"policy": "x", "name": "a\\u0000b"}', '{"policy": "x", "name": "../x"}'):
            self.error("-d", body, "http://d/v1/topologies", code=400)
        error = self.error("-d", '{"policy": "name: x"}', "http://d/v1/topologies", code=422)
        self.assertEqual((error["exit"], error["kind"]), (3, 3))
        self.error("-d", '{"mode": "shared-memory"}', "http://d/v1/topologies/nope/switch", code=404)
        for body in ('{"argv": []}', '{"argv": [1]}', '{"argv": ["x"], "cwd": "rel"}', '{"argv": ["x"], "nodes": -1}',
                     '{"argv": ["x"], "nodes": 1e9}', '{"argv": ["x"], "env": "A=1"}', "{}"):
            self.error("-d", body, "http://d/v1/topologies/nope/jobs", code=400)

    def test_limits(self):
        header = b"GET /v1/info HTTP/1.1\r\nX: " + b"x" * 100000 + b"\r\n\r\n"
        self.assertEqual(self.status(header, end=False), 431)
        declared = b"POST /v1/topologies HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"
        self.assertEqual(self.status(declared, end=False), 413)
        sent = b"POST /v1/topologies HTTP/1.1\r\nContent-Length: 6000000\r\n\r\n" + b"x" * 6000000
        self.assertEqual(self.status(sent, end=False), 413)
        chunks = b"POST /v1/topologies HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"100000\r\n" + b"x" * 0x100000
        self.assertEqual(self.status(chunks + (b"\r\n100000\r\n" + b"x" * 0x100000) * 5, end=False), 413)

    def test_expect_continue(self):
        body = json.dumps({"policy": "x" * 2000000})
        path = self.state + "/body"
        with open(path, "w") as file:
            file.write(body)
        self.error("-H", "Expect: 100-continue", "-d", "@" + path, "http://d/v1/topologies", code=422)

    def test_keep_alive_and_pipelining(self):
        request = b"GET /v1/info HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = self.raw(request * 5)
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 5)
        answer = self.raw(b"GET /v1/info HTTP/1.0\r\n\r\n", end=False)
        self.assertTrue(answer.startswith(b"HTTP/1.0 200"), answer)

    def test_many_connections(self):
        # Not by curl, which does not wait for a place in the queue of those that are to be accepted.
        request = b"GET /v1/info HTTP/1.0\r\n\r\n"
        idle = [self.connect() for _ in range(250)]
        self.assertTrue(self.raw(request, end=False).startswith(b"HTTP/1.0 200"))
        more = [self.connect() for _ in range(20)]
        self.assertIn(b" 503 ", self.raw(request, end=False).splitlines()[0])
        for connection in idle + more:
            connection.close()
        wait_for(lambda: self.curl("http://d/v1/info")[0] == 200, "connections are free again")

    def test_clients_that_leave(self):
        for length in range(0, 60, 3):
            with self.connect() as connection:
                connection.sendall(b"POST /v1/topologies HTTP/1.1\r\nContent-Length: 10\r\n\r\n{}"[:length])
        for _ in range(50):
            with self.connect() as connection:
                connection.sendall(b"GET /v1/topologies HTTP/1.1\r\n\r\n")
        self.assertEqual(self.curl("http://d/v1/info")[0], 200)

    def test_random_bytes(self):
        source = random.Random(7)
        request = bytearray(b"POST /v1/topologies HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{\"policy\": \"x\"}")
        for _ in range(300):
            broken = bytearray(request)
            for _ in range(source.randint(1, 8)):
                broken[source.randrange(len(broken))] = source.randrange(256)
            self.raw(bytes(broken[:source.randint(1, len(broken))]))

    def test_side_by_side(self):
        failures = []

        def ask():
            for _ in range(20):
                if self.curl("http://d/v1/topologies")[0] != 200:
                    failures.append(1)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_no_descriptor_leaks(self):
        import os
        self.curl("http://d/v1/info")
        folder = "/proc/%d/fd" % self.pid
        before = len(os.listdir(folder))
        for _ in range(30):
            self.curl("http://d/v1/topologies/nope")
            self.raw(b"rubbish\r\n\r\n")
        wait_for(lambda: len(os.listdir(folder)) <= before, "all descriptors are closed again")


main()
