#!/usr/bin/env python3
"""Verifies a journal of Locum and proofs from its log. Made from docs/journal.md alone; Python 3.8 and no package.
  verify.py journal DIR [--vkey KEY]... [--saved CHECKPOINT]...   chain, footers, trees, signatures, older checkpoints
  verify.py export RECORDS --tenant NAME --saved CHECKPOINT... --vkey KEY...   a tenant's records are all that its checkpoint covers
  verify.py inclusion PROOF RECORD | consistency PROOF CHECKPOINT --vkey KEY...   a record is in the log; it continues an older one"""
import base64, functools, hashlib, json, os, re, sys, urllib.parse
def must(good, what, *more):  # raises what is wrong, or gives None
    if not good: raise ValueError(what % more)
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def node(left, right): return sha(b"\1", left, right)
def middle(lo, hi): return lo + (1 << (hi - lo - 1).bit_length() - 1)  # where RFC 6962 divides a tree
def read(*path): return open(os.path.join(*path), "rb").read() if os.path.isfile(os.path.join(*path)) else None
P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # Ed25519: RFC 8032 section 6
D, I = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
def plus(a, b):
    x, y, z, t = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0]), 2 * a[2] * b[2], 2 * a[3] * b[3] * D
    return (y - x) * (z - t) % P, (z + t) * (y + x) % P, (z - t) * (z + t) % P, (y - x) * (y + x) % P
def times(n, a): return plus(times(n >> 1, plus(a, a)), a if n & 1 else (0, 1, 1, 0)) if n else (0, 1, 1, 0)
def point(s):
    y = int.from_bytes(s, "little") & (1 << 255) - 1
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    roots = [x for x in (pow(x2, (P + 3) // 8, P) * i % P for i in (1, I, -1, -I)) if (x * x - x2) % P == 0 and x & 1 == s[-1] >> 7]
    return must(len(s) == 32 and y < P and roots, "no point") or (roots[0], y, 1, roots[0] * y % P)
@functools.lru_cache(4096)
def fits(public, text, signature):
    (a, r), d = map(point, (public, signature[:32])), hashlib.sha512(signature[:32] + public + text).digest()
    h, s = (int.from_bytes(n, "little") for n in (d, signature[32:]))
    u, v = times(s, point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))), plus(r, times(h % Q, a))
    return len(signature) == 64 and s < Q and (u[0] * v[2] - v[0] * u[2]) % P == 0 == (u[1] * v[2] - v[1] * u[2]) % P
def b64(text): return must(base64.b64encode(base64.b64decode(text)) == text, "no base64") or base64.b64decode(text)
def vkey(text):  # name+id+base64: (name, kind, public key)
    (name, ident, _), key = text.encode().split(b"+", 2), b64(text.encode().split(b"+", 2)[2])
    return must(sha(name, b"\n", key)[:4].hex().encode() == ident and len(key) == 33, "%s is no verifier key", text) or (name, key[0], key[1:])
def encoded(tenant):
    name = urllib.parse.quote(tenant, safe="").replace(".", "%2E").replace("~", "%7E")
    return name if 1 <= len(name) <= 160 else "=" + sha(tenant.encode()).hex()
def of_tenant(keys, tenant): return [(n + b"/tenant/" + encoded(tenant).encode() if k == 1 else n, k, p) for n, k, p in keys]
def tenant_of(locum): return next((at[n] for at, n in [(locum.get("tenant"), "uid"), (locum, "tenant_id")] if isinstance(at, dict) and isinstance(at.get(n), str)), None)
NOTE = re.compile(rb"(([^\0-\x1f]+)\n(0|[1-9]\d{0,17})\n([^\0-\x1f]{44})\n)\n((?:\xe2\x80\x94 [^\0-\x20+]+ [^\0-\x20]+\n)+)")
def checkpoint(note, keys):  # (origin, size, root, is cosigned) of a signed note; without keys no signature is checked
    m = NOTE.fullmatch(note) or must(False, "it is no checkpoint")
    origin, size, root, by = m[2], int(m[3]), b64(m[4]), []
    signatures = [(name, b64(text)) for _, name, text in (line.split(b" ") for line in m[5].split(b"\n")[:-1])]
    for name, kind, public in (k for k in keys if k[1] == 4 or k[0] == origin):
        for s in [s[4:] for n, s in signatures if n == name and s[:4] == sha(name, b"\n", bytes([kind]), public)[:4]]:
            text = m[1] if kind == 1 else b"cosignature/v1\ntime %d\n" % int.from_bytes(s[:8], "big") + m[1]
            must(fits(public, text, s if kind == 1 else s[8:]), "a signature does not fit its text")
            by.append(kind)
    must(1 in by or not keys, "no key that was given signed it as the log %s", origin.decode(errors="replace"))
    return origin, size, root, 4 in by
class Log:  # a tree (RFC 6962) over records, and the files of its directory
    def __init__(self, at, keys, saved=()):
        self.at, self.entries, self.seqs, self.memo, self.heads = at, [], [], {}, []
        last, signed = read(at, "checkpoint"), read(at, "signed")
        notes = [n + b"\n" for n in re.findall(rb"((?:[^\n]+\n)+\n(?:[^\n]+\n)*[^\n]+)\n\n", read(at, "checkpoints") or b"")]
        must((last in notes[-2:] or not last and len(notes) < 2) and (signed or not notes), "%s/checkpoint: it is not the last one published", at)
        for name, note in [("checkpoints", n) for n in notes] + [("signed", signed)] * bool(signed) + list(saved):
            try: self.heads.append((*checkpoint(note, keys)[1:3], name))
            except (ValueError, LookupError) as why: raise ValueError("%s/%s: %s" % (at, name, why))
        self.published = checkpoint(last, keys)[1] if last else 0
    def hash(self, lo, hi):  # of the leaves from lo to before hi
        if hi - lo > 1 and (lo, hi) not in self.memo:
            self.memo[lo, hi] = node(self.hash(lo, middle(lo, hi)), self.hash(middle(lo, hi), hi))
        return self.memo[lo, hi] if hi - lo > 1 else sha(*[b"\0" + entry for entry in self.entries[lo:hi]])
    def finish(self):
        for size, root, name in sorted(self.heads, key=lambda head: head[0]):
            must(size <= len(self.entries), "%s: record %d and later ones were cut off: %s covers %d", self.at, len(self.entries) + 1, name, size)
            must(root == self.hash(0, size), "%s/%s: other records were signed, %d of them", self.at, name, size)
        sizes = [("entries", self.published), *((level, self.published >> 8 * level) for level in range(8))]
        need = {tile(level, n, min(256, size - 256 * n)) for level, size in sizes for n in range(size + 255 >> 8)}
        for path, _, names in os.walk(os.path.join(self.at, "tile")):
            for here in (os.path.relpath(os.path.join(path, n), self.at) for n in names if not n.endswith(".new")):
                m = re.fullmatch(r"tile/(entries|[0-7])/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d?|1\d\d|2[0-4]\d|25[0-5]))?", here)
                n, width, high = (256 * int(re.sub(r"\D", "", m[2])), int(m[3] or 256), 8 * int(m[1].replace("entries", "0"))) if m else (0, 1, 99)
                must((n + width) << high <= len(self.entries), "%s/%s: there are no records for it", self.at, here)
                hashes = [b"\0\x20" + e for e in self.entries[n:n + width]] if m[1] == "entries" else [self.hash(i << high, i + 1 << high) for i in range(n, n + width)]
                need.discard(must(read(self.at, here) == b"".join(hashes), "%s/%s differs from the records", self.at, here) or here)
        must(not need, "%s: %s is missing", self.at, min(need, default=""))
def tile(level, n, width):
    name = re.sub(r"(\d{3})(?=\d)", r"x\1/", "%0*d" % (-len(str(n)) // 3 * -3, n))
    return "tile/%s/%s" % (level, name) + (".p/%d" % width if width < 256 else "")
LINE = re.compile(rb'(\{.*,"seq":([1-9]\d*),"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}', re.S)
def is_torn(tail): return re.fullmatch(rb"(\{[\x20-\xff]*?)?\0*", tail) and not any(LINE.fullmatch(tail[:m.end()]) for m in re.finditer(rb'"\}', tail))
def journal(at, keys=(), saved=()):  # how many records hold, and the last hash; raises ValueError with the first fault
    seq, prev, logs, of = 1, b"0" * 64, {}, os.path.join(at, "tlog", "tenants")
    segments = sorted((n for n in os.listdir(at) if re.fullmatch(r"segment-\d{16,}\.jsonl", n)), key=lambda n: int(n[8:-6]))
    if os.path.isdir(os.path.join(at, "tlog")) or keys or saved: logs[None] = Log(os.path.join(at, "tlog"), keys, saved)
    for name in segments:
        must(int(name[8:-6]) == seq, "%s line 1, record %d is missing", name, seq)
        (*lines, tail), before, footer = read(at, name).split(b"\n"), 0, False
        for n, line in enumerate(lines, 1):
            m, place = LINE.fullmatch(line), "%s line %d, record %d: " % (name, n, seq)
            must(m and int(m[2]) == seq and m[3] == prev and not footer, place + "it does not follow the one before")
            must(sha(m[1]).hex().encode() == m[4], place + "it was changed")
            record = json.loads(line); locum = record.get("locum") or {}
            footer, counts = record["metadata"]["event_code"] == "segment.sealed", [locum.get(k) for k in ("first", "records", "bytes")]
            must(not footer or counts == [int(name[8:-6]), n, before], place + "the footer counts otherwise")
            if (tenant := tenant_of(locum)) is not None and logs and os.path.isdir(of) and tenant not in logs:
                logs[tenant] = Log(os.path.join(of, encoded(tenant)), of_tenant(keys, tenant))
            for log in {None, tenant} & logs.keys(): logs[log].seqs.append(seq), logs[log].entries.append(bytes.fromhex(m[4].decode()))
            seq, prev, before = seq + 1, m[4], before + len(line) + 1
        must((is_torn(tail) and not footer or not tail) if name == segments[-1] else footer and not tail, "%s line %d, record %d: neither whole nor torn by a crash", name, len(lines) + 1, seq)
    for tenant, log in logs.items():
        log.finish()
        want, found = b"".join(s.to_bytes(8, "big") for s in log.seqs), read(log.at, "seqs") or b""
        must(tenant is None or want.startswith(found) and len(found) >= 8 * log.published, "%s/seqs differs from the records", log.at)
        must(tenant is not None or any(name == "checkpoints" for *_, name in log.heads) or not keys or seq == 1, "%s: there is no checkpoint", log.at)
    return seq - 1, prev.decode()
def export(at, tenant, keys, saved):  # how many records of a tenant there are; they are all that its checkpoints cover
    log, last, lines, keys = Log(at, of_tenant(keys, tenant), saved), 0, read(at).split(b"\n"), of_tenant(keys, tenant)
    must(all(k[1] == 1 for k in keys) or all(checkpoint(note, keys)[3] for _, note in saved), "no witness whose key was given cosigned it")
    for n, line in enumerate(lines if lines[-1] else lines[:-1], 1):
        must((m := LINE.fullmatch(line)) and sha(m[1]).hex().encode() == m[4], "%s line %d: the record was changed", at, n)
        must(tenant_of(json.loads(line).get("locum") or {}) == tenant and int(m[2]) > last, "%s line %d: another's record, or not after the one before", at, n)
        last, _ = int(m[2]), log.entries.append(bytes.fromhex(m[4].decode()))
    return log.finish() or must(saved, "no checkpoint was given: --saved") or len(log.entries)
def proof(text, word):  # a number, hashes, and the checkpoint that they lead to
    m = re.fullmatch(word + rb" (0|[1-9]\d{0,18})\n((?:[^\n]+\n)*)\n(.*)", text, re.S)
    hashes = [b64(h) for h in m[2].split(b"\n")[:-1]] if m else []
    return must(m and all(len(h) == 32 for h in hashes) and len(hashes) < 65, "it is no such proof") or (int(m[1]), hashes, m[3])
def up(lo, hi, at, leaf, hashes):  # section 2.1.1: the root that a path from leaf `at` leads to
    if hi - lo == 1 or not hashes: return must(hi - lo == 1 and not hashes, "the path has another length than the tree needs") or leaf
    half, (*rest, last) = middle(lo, hi), hashes
    return node(up(lo, half, at, leaf, rest), last) if at < half else node(last, up(half, hi, at, leaf, rest))
def both(lo, hi, size, old, hashes):  # section 2.1.2: the older root and the newer one that a proof leads to
    if size == hi or not hashes: return must(size == hi and len(hashes) == (lo > 0), "the proof has another length") or ((hashes or [old])[0],) * 2
    half, (*rest, last) = middle(lo, hi), hashes
    a, b = both(lo, half, size, old, rest) if size <= half else both(half, hi, size, old, rest)
    return (a, node(b, last)) if size <= half else (node(last, a), node(last, b))
def inclusion(text, line, keys):
    (index, hashes, note), m = proof(text, rb"c2sp\.org/tlog-proof@v1\nindex"), LINE.fullmatch(line.rstrip(b"\n"))
    _, size, root, _ = checkpoint(note, keys)
    must(m and sha(m[1]).hex().encode() == m[4] and index < size, "the record was changed, or the checkpoint has no such leaf")
    must(up(0, size, index, sha(b"\0", bytes.fromhex(m[4].decode())), hashes) == root, "the path leads to another root")
def consistency(text, older, keys):
    (size, hashes, note), (origin, size1, root1, _) = proof(text, b"old"), checkpoint(older, keys)
    origin2, size2, root2, _ = checkpoint(note, keys)
    must(origin == origin2 and size == size1 <= size2, "these are no two sizes of one log")
    must(both(0, size2, size, root1, hashes) == (root1, root2) if size else not hashes and root1 == sha(), "the proof leads elsewhere")
if __name__ == "__main__":
    before = list(zip(sys.argv[1:], sys.argv[2:])) or sys.exit(__doc__)
    what, files = before[0][0], [b for a, b in before if not a.startswith("--") and not b.startswith("--")]
    try:
        keys, saved = [vkey(b) for a, b in before if a == "--vkey"], [(os.path.abspath(b), read(b) or b"") for a, b in before if a == "--saved"]
        if what == "journal": print("intact: %d records, last hash %s" % journal(files[0], keys, saved))
        elif what == "export": print("intact: %d records, all that the checkpoint covers are there" % export(files[0], dict(before)["--tenant"], keys, saved))
        else: print("good", {"inclusion": inclusion, "consistency": consistency}[what](*map(read, files), keys) or "")
        if not keys: print("signatures were NOT checked: no --vkey was given")
    except (OSError, ValueError, LookupError, TypeError) as why: sys.exit("NOT GOOD: %s" % why)
