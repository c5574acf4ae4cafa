"""What is on record: whether it verifies, and whether everything is there that the app saw."""
import os
import subprocess
from pathlib import Path

SORT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}


def size(locum):
    """Bytes of the journal and of what is kept beside it."""
    total = 0
    # What is there changes meanwhile: what is gone by the time it is looked at has no size, and is no fault.
    for path, _, names in os.walk(locum.dir / "var"):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                pass
    return total


def verify(locum):
    """`locum audit verify`; its report. Raises where it does not verify."""
    return locum.run("audit", "verify", locum.journal)["report"]


def count(locum, event):
    """Records of that kind."""
    found = 0
    for segment in locum.journal.glob("segment-*.jsonl"):
        done = subprocess.run(["grep", "-a", "-c", "-F", f'"event_code":"{event}"', segment], capture_output=True, text=True)
        found += int(done.stdout or 0)
    return found


def unrecorded(locum, seen, work):
    """What the app saw and no record tells of, by the `n` of each request. `seen`: a file with one a line. With both counts."""
    work = Path(work)
    segments = " ".join(f"'{it}'" for it in sorted(locum.journal.glob("segment-*.jsonl")))
    script = (
        f"grep -a -h -F '\"event_code\":\"exchange.opened\"' {segments} | grep -a -o '\"query_string\":\"n=[^\"&]*' | cut -c19- | sort -u -T {work} > {work}/journal.sorted;"
        f"grep -a -v '^-*$' {seen} | sort -u -T {work} > {work}/app.sorted; comm -23 {work}/app.sorted {work}/journal.sorted > {work}/missing; wc -l < {work}/app.sorted; wc -l < {work}/journal.sorted"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=SORT)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    saw, recorded = map(int, done.stdout.split())
    return (work / "missing").read_text().splitlines(), saw, recorded
