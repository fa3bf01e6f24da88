"""A server that misbehaves as it is told, and what its clients need."""

import http.server
import threading

TOKEN = "gr_secret/token+1="


class Free:
    """A pace that never waits, and counts."""

    asked = 0

    def wait(self) -> float:
        """Go."""
        self.asked += 1
        return 0.0


class Server:
    """Answers each request by the next function of ``script``, the last one for ever."""

    def __init__(self) -> None:
        self.script = [lambda handler: reply(handler, 200, b'{"ok": true}')]
        self.seen: list[tuple[str, str]] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.seen.append((self.path, self.headers.get("Authorization", "")))
                step = owner.script.pop(0) if len(owner.script) > 1 else owner.script[0]
                step(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that hangs up is what some tests are about
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def reply(handler, status: int, body: bytes, **headers: str) -> None:
    """An answer in good order."""
    handler.send_response(status)
    for name, value in {
        "Content-Length": str(len(body)),
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def says(status: int, body: bytes, **headers: str):
    """A step of a script."""
    return lambda handler: reply(handler, status, body, **headers)


GOOD = says(200, b'{"ok": true}')
