"""How faults are injected into a round: each is prepared before its traffic, happens while it runs, and leaves the repair to
:func:`creator_pipeline_tests.faults.rounds.heal_and_judge`. Their names and mixtures are in the catalogue."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import psutil
import psycopg2

from creator_pipeline.core.windows import today
from creator_pipeline_tests.faults.proxy import Instant, Mode
from creator_pipeline_tests.faults.rounds import INSTANT_SECONDS, Round

Injection = Callable[[Round], AbstractContextManager[None]]


@contextmanager
def _meanwhile(work: Callable[[], object]) -> Generator[None]:
    """Traffic on this thread, the fault on another; patient callers wait for the repair, so it comes with the fault."""
    import threading

    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    thread = threading.Thread(target=run, name="fault")
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failed:
        raise failed[0]


def killed_and_back(part: str) -> Injection:
    @contextmanager
    def inject(this: Round) -> Generator[None]:
        def act() -> None:
            this.somewhen(0.6)
            this.system.kill(part)
            this.somewhen(0.4)
            this.system.start(part)

        with _meanwhile(act):
            yield

    return inject


@contextmanager
def kill_run_worker(this: Round) -> Generator[None]:
    def act() -> None:
        worker = this.run_worker()
        if worker is None:
            this.notes.append("a run didn't come")
            return
        this.somewhen(0.5)
        with suppress(psutil.Error):
            worker.kill()

    with _meanwhile(act):
        yield


def at(
    proxy: str, pattern: str, *, then: str = "", after: bool = False, most: int = 1, victim: str | None = None
) -> Injection:
    """Kill whoever sends it, or ``victim``, at a named instant; a victim that is a part comes back at once."""

    @contextmanager
    def inject(this: Round) -> Generator[None]:
        def act(pid: int | None) -> None:
            if victim is None:
                this.kill(pid)
            else:
                this.system.kill(victim)

        instant = Instant(pattern, act, then=then, after=after, nth=this.rng.randint(1, most))

        def back() -> None:
            instant.done.wait(INSTANT_SECONDS)
            time.sleep(0.05)
            this.start()

        with _meanwhile(back), this.instant(proxy, instant):
            yield

    return inject


def network(proxy: str, mode: Mode) -> Injection:
    @contextmanager
    def inject(this: Round) -> Generator[None]:
        line = this.system.proxies[proxy]

        def act() -> None:
            this.somewhen(0.2)
            line.set_mode(mode)
            this.somewhen(0.8)
            line.set_mode("through")

        with _meanwhile(act):
            yield

    return inject


def api(kind: str, path: str) -> Injection:
    @contextmanager
    def inject(this: Round) -> Generator[None]:
        faults = this.system.sandbox.faults
        faults.delay = 0.3
        faults.every(1 if kind in ("400",) else this.rng.randint(1, 3), kind, path=path, times=this.rng.randint(1, 3))
        yield
        # The fault lasts until the platform was asked that often, or the system came to rest.
        this.system.wait_until_idle(20)

    return inject


def deliveries(how: str) -> Injection:
    @contextmanager
    def inject(this: Round) -> Generator[None]:
        senders: list[Any] = [this.system.sandbox.pings, this.system.sandbox.webhooks]
        held: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []
        for sender in senders:
            sender._push = lambda *args, sender=sender, **kwargs: held.append((sender, args, kwargs))
        try:
            yield
        finally:
            for sender in senders:
                del sender._push
        if how == "late":
            this.system.wait_until_idle(20)
        if how == "reordered":
            this.rng.shuffle(held)
        for sender, args, kwargs in held:
            sender._push(*args, **kwargs)
            if how == "duplicate":
                _again(this, sender, args, kwargs)
        for sender in senders:
            sender.wait_idle(30)

    return inject


def _again(this: Round, sender: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    sender.wait_idle(30)
    for _ in range(this.rng.randint(1, 3)):
        if sender is this.system.sandbox.webhooks:
            sender.replay(args[0].id)
            continue
        this.traffic.repeated[args[0].url.rpartition("/")[2].partition(".")[0]] += 1
        sender._push(*args, **kwargs)
    if this.rng.random() < 0.5:
        this.system.wait_until_idle(20)


@contextmanager
def code_server_away(this: Round) -> Generator[None]:
    """The code server is away for longer than the queue waits between two tries, while runs are queued for it."""
    dropped = "SELECT count(*) FROM event_logs WHERE event LIKE '%dropping it from the queue%'"
    before = this.system.ask(dropped, "dagster")

    def act() -> None:
        this.somewhen(3.0)
        this.system.kill("code")
        time.sleep(this.rng.uniform(4.0, 15.0))
        this.system.start("code")

    with _meanwhile(act):
        yield
    this.system.wait_until_idle(60)
    if (after := this.system.ask(dropped, "dagster")) != before:
        raise AssertionError(f"Queued runs were dropped while the code server was away: {before} before, {after} now.")


@contextmanager
def two_daemons(this: Round) -> Generator[None]:
    first = this.system.processes.pop("daemon")
    this.system.start("daemon")
    try:
        yield
        this.system.wait_until_idle(40)
    finally:
        first.send_signal(signal.SIGTERM)
        first.wait(60)


@contextmanager
def two_backfills(this: Round) -> Generator[None]:
    yield
    day = str(today())
    words = ["backfill", "gumroad", "--profile", this.rng.choice(["alice", "bea", "chen"]), "--from", day, "--to", day]
    both = [this.system.fork(*words) for _ in range(2)]
    codes = sorted(one.wait(120) for one in both)
    # One may be told that the other is under way.
    if codes not in ([0, 0], [0, 2]):
        raise AssertionError(f"two backfills of one range ended {codes}: {this.system.log_of('commands')[-2000:]}")


@contextmanager
def migration(this: Round) -> Generator[None]:
    name = f"migration_{this.rng.randrange(1 << 40):x}"
    system = this.system
    system.create_database(name)
    url = {"DATABASE_URL": system.database_url(name, direct=False)}
    with this.instant("postgres", Instant("CREATE TABLE|CREATE INDEX", this.kill, nth=this.rng.randint(1, 30))):
        victim = system.fork("migrate", environment=url)
        yield
        victim.wait(60)
    both = [system.fork("migrate", environment=url) for _ in range(2)]
    codes = [one.wait(60) for one in both]
    wanted = system.ask(_COLUMNS)
    if codes != [0, 0] or system.ask(_COLUMNS, name) != wanted:
        raise AssertionError(f"a migration that was killed ends {codes}: {system.log_of('commands')[-2000:]}")
    system.drop_database(name)


_COLUMNS = """SELECT table_name, column_name, data_type FROM information_schema.columns
              WHERE table_schema = 'public' ORDER BY 1, 2"""


def disk_full(part: str) -> Injection:
    """No file of the part's may grow: of the gateway the upload's draft, of PostgreSQL tables and log."""

    @contextmanager
    def inject(this: Round) -> Generator[None]:
        processes = [psutil.Process(this.system.processes[part].pid)]
        if part == "postgres":
            processes = [
                one for one in processes[0].children() if "creator_pipeline warehouse" in " ".join(one.cmdline())
            ]
        limit = 2048 if part == "gateway" else 8192

        def act() -> None:
            for one in processes:
                with suppress(psutil.Error):
                    one.rlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            time.sleep(this.rng.uniform(0.3, 1.0))
            for one in processes:
                with suppress(psutil.Error):
                    one.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            if part == "postgres":
                # It ends when its log can't be written, and recovers by itself.
                _until_postgres(this)

        with _meanwhile(act):
            yield

    return inject


def _until_postgres(this: Round) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(psycopg2.OperationalError):
            if this.system.ready("postgres"):
                return
        time.sleep(0.1)


def clock(seconds: int) -> Injection:
    """The machine of daemon, runs and gateway has another time than PostgreSQL's and Redis's, from now on."""

    @contextmanager
    def inject(this: Round) -> Generator[None]:
        parts = [this.system.processes[name] for name in ("daemon", "gateway")]
        (this.system.folder / "home" / "clock").write_text(str(seconds))

        def act() -> None:
            this.somewhen(0.3)
            for part in parts:
                part.send_signal(signal.SIGUSR1)

        with _meanwhile(act):
            yield
        this.system.wait_until_idle(30)
        (this.system.folder / "home" / "clock").write_text("0")
        for part in parts:
            part.send_signal(signal.SIGUSR1)

    return inject
