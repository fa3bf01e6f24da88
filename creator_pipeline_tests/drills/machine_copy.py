"""A copy of this machine in which anything may be changed: files in memory over the real ones, and processes of its own.

Needs root and Linux. Its network is this machine's. When it ends, its processes are killed and what they changed is gone.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import psutil

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAKE = """set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/changed" "$0/work" "$0/root"
mount -t overlay -o lowerdir=/,upperdir="$0/changed",workdir="$0/work" overlay "$0/root"
mount -t proc proc "$0/root/proc"
mount --rbind /dev "$0/root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$0/root/tmp"
cp /etc/resolv.conf /etc/hosts "$0/root/etc/"
echo made
exec sleep infinity"""
# ProtectSystem=strict, PrivateTmp and ProtectHome; then the unit's user, without a way to more rights.
_AS_UNIT = """set -e
for folder in {writable}; do if [ -e "$folder" ]; then mount --bind "$folder" "$folder"; fi; done
mount -o remount,bind,ro /
for folder in {writable}; do if [ -e "$folder" ]; then mount -o remount,bind,rw "$folder"; fi; done
mount -t tmpfs -o mode=1777 tmpfs /tmp
for folder in /home /root; do mount -t tmpfs -o ro tmpfs "$folder"; done
cd {folder}
umask {umask}
exec setpriv --reuid={user} --regid={user} --init-groups --no-new-privs {command}"""


@dataclass(frozen=True)
class Unit:
    """What is in a unit's file of systemd, as far as the copy starts it.

    Attributes:
        before: ExecStartPre, one command.
        writable: folders that the unit may write to.
    """

    user: str
    folder: str
    umask: str
    start: str
    before: str
    writable: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict[str, str])
    files: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str, instance: str = "") -> Unit:
        """Of a file's text.

        Args:
            text: of the unit's file.
            instance: what stands behind the ``@`` of its name.
        """
        found: dict[str, list[str]] = {}
        for name, value in re.findall(r"^(\w+)=(.*)$", text.replace("%i", instance), re.MULTILINE):
            found.setdefault(name, []).append(value)
        one = {name: values[0] for name, values in found.items()}
        pairs = [pair for line in found.get("Environment", []) for pair in line.split()]
        return cls(
            one["User"],
            one["WorkingDirectory"],
            one["UMask"],
            one["ExecStart"],
            one.get("ExecStartPre", ""),
            (f"/var/lib/{one['StateDirectory']}", *(path.lstrip("-") for path in found.get("ReadWritePaths", []))),
            dict(pair.split("=", 1) for pair in pairs),
            tuple(path.lstrip("-") for path in found.get("EnvironmentFile", [])),
        )


class MachineCopy(AbstractContextManager["MachineCopy"]):
    """See the module.

    Attributes:
        files: its root folder, as this process sees it.
    """

    def __enter__(self) -> MachineCopy:
        """Make it.

        Raises:
            RuntimeError: the machine doesn't let us.
        """
        self._folder = tempfile.mkdtemp(prefix="creator_pipeline_machine_")
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _MAKE, self._folder]
        self._holder = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "made\n":
            _, said = self._holder.communicate()
            Path(self._folder).rmdir()
            raise RuntimeError(said.strip())
        [child] = psutil.Process(self._holder.pid).children()
        self._pid = child.pid
        self.files = Path(f"/proc/{self._pid}/root{self._folder}/root")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill its processes; its files go with the last of them."""
        self._holder.kill()
        self._holder.wait(30)
        Path(self._folder).rmdir()

    def run(self, line: str, folder: str = "/", env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a line of a shell as root; its exit code and what it said.

        Args:
            line: of a shell.
            folder: where.
            env: its environment; this process's with the system's PATH by default.
        """
        words = self._inside(["sh", "-c", f"cd {folder} && {line}"])
        environment = env or {**os.environ, "PATH": PATH}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=1_800)
        return done.returncode, done.stdout + done.stderr

    def as_unit(self, unit: Unit, command: str) -> tuple[int, str]:
        """Run a command with a unit's user, environment and limits; its exit code and what it said."""
        return self.run(self._line(unit, command), env=self._environment(unit))

    def start(self, unit: Unit, log: Path) -> subprocess.Popen[bytes]:
        """Start a unit's process, two seconds after its end again, as ``Restart=always`` does."""
        with log.open("wb") as said:
            words = self._inside(["sh", "-c", f"while :; do ({self._line(unit, unit.start)}); sleep 2; done"])
            return subprocess.Popen(words, env=self._environment(unit), stdout=said, stderr=said)

    def _inside(self, words: list[str]) -> list[str]:
        enter = ["nsenter", "--target", str(self._pid), "--mount", "--pid"]
        return [*enter, "chroot", f"{self._folder}/root", *words]

    @staticmethod
    def _line(unit: Unit, command: str) -> str:
        script = _AS_UNIT.format(
            writable=" ".join(unit.writable), folder=unit.folder, umask=unit.umask, user=unit.user, command=command
        )
        return f"exec unshare --mount sh -c {shlex.quote(script)}"

    def _environment(self, unit: Unit) -> dict[str, str]:
        found = {"PATH": PATH, "LANG": "C.UTF-8", **unit.environment}
        for name in unit.files:
            path = self.files / name.lstrip("/")
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            found |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        return found
