"""Processes, and what the system says of them."""
import atexit
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
#: What is measured has the first core; the app and the load share what is left.
OURS, THEIRS = CORES[:1], CORES[1:] or CORES[:1]
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def raise_files():
    """Allows this process, and those that it starts, as many open files as there may be."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


_started = []


@atexit.register
def _end_all():
    """Nothing that was started here outlives a run that broke off."""
    for process in _started:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def spawn(command, cores, log=None, **more):
    """Starts a program on these cores alone."""
    out = open(log, "ab") if log else subprocess.DEVNULL
    pin = lambda: os.sched_setaffinity(0, cores)
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=pin, **more)
    _started.append(process)
    return process


def stop(process, how=signal.SIGTERM, within=40):
    """Ends a process; its exit code."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"{process.args[0]} did not end within {within} s") from None
    return process.returncode


def wait_for(so, seconds, what, pause=0.02):
    """Until it is so; what it returned."""
    end = time.monotonic() + seconds
    while True:
        found = so()
        if found:
            return found
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(pause)


def cpu(pid):
    """Seconds of user and system time that all threads have used, those that ended included (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_of_threads(pid, name):
    """Seconds on a core of the threads whose name begins so."""
    nanoseconds = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            if (task / "comm").read_text().startswith(name):
                nanoseconds += int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return nanoseconds / 1e9


def settle(pid, longest=60.0):
    """Waits until a process has done what it put off: it uses less than 3 % of a core. Returns the seconds waited."""
    began, last = time.monotonic(), cpu(pid)
    while time.monotonic() - began < longest:
        time.sleep(0.3)
        now = cpu(pid)
        if now - last < 0.3 * 0.03 + 1 / TICK:
            break
        last = now
    else:
        print(f"note: still busy after {longest:.0f} s, so that what it put off is not all counted", file=sys.stderr)
    return time.monotonic() - began


def memory(pid, line="VmRSS"):
    """A line of proc_pid_status(5), in KiB."""
    return int(re.search(rf"^{line}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def forget_peak(pid):
    """The peak of the resident set begins anew (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def threads(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def files(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def about():
    """The machine, in a line."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return f"{len(CORES)} × {model[1].strip() if model else os.uname().machine}, {os.uname().sysname} {os.uname().release}"
