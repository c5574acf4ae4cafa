"""Does everything bad to a journal that can be done to it, and asks docs/verify.py each time whether it sees it.
  tamper.py DIR ORIGIN-KEY STEP SEED     every STEP-th case, from SEED on; prints how many of each kind were seen and named"""
import collections, functools, importlib.util, json, multiprocessing, os, re, shutil, sys, tempfile, types

spec = importlib.util.spec_from_file_location("verify", os.path.join(os.path.dirname(__file__), "..", "..", "docs", "verify.py"))
verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)
# Pure functions of bytes, asked for the same 200 records again and again: remembered. What the verifier does stays what it is.
verify.sha = functools.lru_cache(1 << 14)(verify.sha)
verify.json = types.SimpleNamespace(loads=functools.lru_cache(1 << 12)(json.loads))


def files(at):
    found = {}
    for path, _, names in os.walk(at):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                found[os.path.relpath(os.path.join(path, name), at)] = file.read()
    return found


def cases(good):
    """(kind, {file: bytes or None}, what must be named)"""
    segments = sorted(name for name in good if name.startswith("segment-"))
    number = 0
    for name in segments:
        data = good[name]
        lines = data.splitlines(keepends=True)
        begin, first = 0, number
        for at, line in enumerate(lines):
            number += 1
            named = "record %d" % number
            for byte in range(begin, begin + len(line)):
                for bit in range(8):
                    yield "flip", (name, byte, bit), named
                yield "truncate", (name, byte, None), named
                if byte > begin:
                    yield "tear", (name, byte, begin + len(line)), named
            begin += len(line)
            yield "delete", (name, lines[:at] + lines[at + 1:]), named
            if at + 1 < len(lines):
                yield "swap", (name, lines[:at] + [lines[at + 1], line] + lines[at + 2:]), named
            yield "duplicate", (name, lines[:at + 1] + lines[at:]), "record %d" % (number + 1)
    for name in sorted(set(good) - set(segments)):
        for byte in range(len(good[name])):
            for bit in range(8):
                yield "flip-log", (name, byte, bit), "tlog"
        yield "remove-log", (name,), "tlog"


def changed(good, kind, how):
    name, data = how[0], good[how[0]]
    if kind.startswith("flip"):
        bad = bytearray(data)
        bad[how[1]] ^= 1 << how[2]
        return {name: bytes(bad)}
    if kind == "truncate":
        later = {other: None for other in good if other.startswith("segment-") and other > name}
        return {name: data[:how[1]], **later}
    if kind == "tear":
        return {name: data[:how[1]] + data[how[2]:]}
    if kind == "remove-log":
        return {name: None}
    return {name: b"".join(how[1])}


def put(at, changes):
    for name, data in changes.items():
        path = os.path.join(at, name)
        if data is None:
            os.remove(path)
        else:
            with open(path, "wb") as file:
                file.write(data)


def work(part, parts, at, key, step, seed):
    good, keys = files(at), [verify.vkey(key)]
    here = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    shutil.copytree(at, here, dirs_exist_ok=True)
    verify.journal(here, keys)
    tried, seen, failures = collections.Counter(), collections.Counter(), []
    for n, (kind, how, named) in enumerate(cases(good)):
        # Few of a kind: all of them. Many: every so many-th.
        if kind in ("flip", "flip-log", "truncate", "tear") and (n + seed) % step or n // step % parts != part:
            continue
        changes = changed(good, kind, how)
        put(here, changes)
        try:
            verify.journal(here, keys)
            failures.append("%s %s: not seen" % (kind, how[:3]))
        except (ValueError, LookupError) as why:
            seen[kind] += 1
            if not re.search(r"%s\b" % named, str(why)):
                failures.append("%s %s: should name %s: %s" % (kind, how[:3], named, why))
        tried[kind] += 1
        put(here, {name: good[name] for name in changes})
    shutil.rmtree(here)
    return tried, seen, failures


if __name__ == "__main__":
    at, key, step, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    parts = os.cpu_count() or 2
    with multiprocessing.Pool(parts) as pool:
        done = pool.starmap(work, [(part, parts, at, key, step, seed) for part in range(parts)])
    tried, seen = (sum((one[which] for one in done), collections.Counter()) for which in (0, 1))
    failures = [failure for *_, some in done for failure in some]
    wrong = collections.Counter(failure.split(" ", 1)[0] for failure in failures)
    for kind in [*sorted(tried), "all"]:
        cases, found, bad = (sum(it.values()) if kind == "all" else it[kind] for it in (tried, seen, wrong))
        print("%-18s  %-10s %7d cases %7d detected %7d named" % ("docs/verify.py", kind, cases, found, cases - bad))
    print("\n".join(failures[:20]), end="")
    sys.exit(bool(failures))
