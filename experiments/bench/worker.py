"""A worker: a process that loads once and then does one pass over its texts whenever asked.

It prints {"ready": true, ...} when it has loaded, then answers each line "run" on its standard input with one line of
JSON, and ends with its input. It also ends when this process dies, as that closes its input.
"""
import json
import subprocess
import tempfile


class WorkerFailed(Exception):
    pass


class Worker:
    def __init__(self, name, command):
        self.name = name
        self.errors = tempfile.TemporaryFile()
        # Its own session: Ctrl-C reaches this process alone, which ends the worker in close().
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, bufsize=1, start_new_session=True)
        self.about = {}

    def wait_until_ready(self):
        self.about = self._answer()
        if not self.about.get("ready"):
            raise WorkerFailed(f"{self.name}: the first line is not {{\"ready\": true}}: {self.about}")

    def run(self):
        """One pass; its figures."""
        try:
            self.process.stdin.write("run\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # _answer says why
        return self._answer()

    def close(self):
        """Ends it at once, whatever it does; more than once is fine."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            try:
                stream.close()
            except BrokenPipeError:
                pass

    def _answer(self):
        line = self.process.stdout.readline()
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            self.close_input()
            self.errors.seek(0)
            said = (line + self.errors.read().decode(errors="replace")).strip()
            raise WorkerFailed(f"{self.name} failed (exit status {self.process.wait()}): {said[-2000:]}") from None

    def close_input(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
