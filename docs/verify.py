#!/usr/bin/env python3
"""Verifies a journal of Locum and its proofs. Made from docs/journal.md alone; needs Python 3.9 and nothing else.
  verify.py journal DIR [--vkey KEY]... [--saved CHECKPOINT]...   chain, footers, trees, signatures, older checkpoints
  verify.py inclusion PROOF RECORD --vkey KEY...                  the record (one line of a journal) is in the log
  verify.py consistency PROOF CHECKPOINT --vkey KEY...            the proof's checkpoint continues the older one
  verify.py tenant TENANT RECORDS CHECKPOINT --vkey KEY...        these are all of the tenant's records, in order"""
import base64, functools, hashlib, json, os, re, sys

P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # Ed25519, after RFC 8032 section 6
D, I = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
def add(a, b):
    x, y, z, t = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0]), 2 * a[2] * b[2], 2 * a[3] * b[3] * D
    e, f, g, h = (y - x) % P, (z - t) % P, (z + t) % P, (y + x) % P
    return e * f % P, g * h % P, f * g % P, e * h % P
def times(n, a):
    b = (0, 1, 1, 0)
    while n: b, a, n = add(b, a) if n & 1 else b, add(a, a), n >> 1
    return b
def point(s):
    y, sign = int.from_bytes(s, "little") & (1 << 255) - 1, s[31] >> 7
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P: x = x * I % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign): raise ValueError("no point")
    return (x, y, 1, x * y % P) if x & 1 == sign else (P - x, y, 1, (P - x) * y % P)
@functools.lru_cache(4096)
def signed(public, text, signature):
    try: a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    except (ValueError, IndexError): return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % Q
    u, v = times(s, point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))), add(r, times(h, a))
    return len(signature) == 64 and s < Q and (u[0] * v[2] - v[0] * u[2]) % P == 0 == (u[1] * v[2] - v[1] * u[2]) % P

class Bad(Exception): pass
def must(good, what):
    if not good: raise Bad(what)
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
node = lambda a, b: sha(b"\1", a, b)
def b64(text):
    try: raw = base64.b64decode(text, validate=True)
    except ValueError: raise Bad("no base64")
    must(base64.b64encode(raw) == text, "no base64")
    return raw
def vkey(text):  # name+id+base64(kind, public key)
    name, ident, key = text.encode().split(b"+", 2)
    return name, b64(key)[0], b64(key)[1:]
def of_tenant(keys, tenant): return [(n + b"/tenant/" + encoded(tenant).encode(), k, p) if k == 1 else (n, k, p) for n, k, p in keys]
def encoded(tenant):
    text = "".join(chr(b) if re.match(rb"[A-Za-z0-9_-]", bytes([b])) else "%%%02X" % b for b in tenant.encode())
    return text if 1 <= len(text) <= 160 else "=" + hashlib.sha256(tenant.encode()).hexdigest()

def checkpoint(note, keys=()):  # a signed note: (origin, size, root); the keys say whom to believe
    m = re.fullmatch(rb"(([^\n]+)\n(0|[1-9]\d{0,18})\n([^\n]+)\n)\n((?:\xe2\x80\x94 [^\s+]+ [^\s]+\n)+)", note)
    must(m and not re.search(rb"[\0-\x09\x0b-\x1f]", note), "no checkpoint")
    text, origin, size, root = m[1], m[2], int(m[3]), b64(m[4])
    must(len(root) == 32 and size < 2**63, "no checkpoint")
    lines = [(line.split(b" ")[1], b64(line.split(b" ")[2])) for line in m[5].split(b"\n")[:-1]]
    by = 0
    for name, kind, public in keys:
        if kind == 1 and name != origin: continue
        ident = sha(name, b"\n", bytes([kind]), public)[:4]
        for s in [s[4:] for n, s in lines if n == name and s[:4] == ident][:1]:
            said = text if kind == 1 else b"cosignature/v1\ntime %d\n" % int.from_bytes(s[:8], "big") + text
            must(signed(public, said, s if kind == 1 else s[8:]), "a signature does not fit")
            by += kind == 1
    must(by or not keys, "no given key of the log %s signed it" % origin.decode(errors="replace"))
    return origin, size, root

class Tree:  # RFC 6962: rows[l] has the hashes at level 8 l, peaks the roots of the full subtrees
    def __init__(self): self.entries, self.rows, self.peaks, self.size = [], [[]], [], 0
    def append(self, entry):
        self.entries.append(entry); h = sha(b"\0", entry); self.rows[0].append(h); self.size += 1
        for level in range(1, 64):
            if self.size % 2**level: break
            h = node(self.peaks.pop(), h)
            if level % 8 == 0:
                if len(self.rows) <= level // 8: self.rows.append([])
                self.rows[level // 8].append(h)
        self.peaks.append(h)
    def root(self):
        return functools.reduce(lambda right, left: node(left, right), reversed(self.peaks)) if self.peaks else sha()
    def tile(self, level, n, width):  # its bytes; None where there are not so many records
        rows = [b"\0\x20" + e for e in self.entries[256 * n:256 * n + width]] if level == "entries" else (self.rows + [[]] * 64)[int(level)][256 * n:256 * n + width]
        return b"".join(rows) if len(rows) == width else None

def read(*path):
    try:
        with open(os.path.join(*path), "rb") as f: return f.read()
    except OSError: return None
class Log:  # a tree with what was published of it
    def __init__(self, at, keys, saved=()):
        self.at, self.tree, self.heads, self.published, self.seqs = at, Tree(), [], 0, []
        history, last = read(at, "checkpoints") or b"", read(at, "checkpoint")
        notes = [n + b"\n" for n in re.findall(rb"[^\n](?:[^\n]|\n(?!\n))*\n\n(?:[^\n]|\n(?!\n))*(?=\n\n)", history)]
        for name, note in [("checkpoints", n) for n in notes] + [(n, read(at, n)) for n in ("checkpoint", "signed")] + list(saved):
            if note is None: continue
            try: self.heads.append((*checkpoint(note, keys)[1:], name))
            except Bad as why: raise Bad("%s/%s: %s" % (at, name, why))
        must(last in ([None] if not notes else notes[-2:]), at + "/checkpoint: it is not the last one published")
        if last: self.published = checkpoint(last)[1]
        self.heads.sort(key=lambda head: head[0])
    def append(self, seq, entry): self.here(); self.seqs.append(seq); self.tree.append(entry)
    def here(self):
        while self.heads and self.heads[0][0] <= self.tree.size:
            size, root, name = self.heads.pop(0)
            must(size < self.tree.size or root == self.tree.root(), "%s/%s: another root was signed for %d records" % (self.at, name, size))
    def finish(self):
        self.here()
        for size, _, name in self.heads[-1:]: raise Bad("%s: records from the %dth on were cut off: %s covers %d" % (self.at, self.tree.size + 1, name, size))
        need = {number(level, n, min(256, h - 256 * n)) for level, h in [("entries", self.published)] + [(l, self.published >> 8 * l) for l in range(8)] for n in range(h + 255 >> 8)}
        for path, _, names in os.walk(os.path.join(self.at, "tile")):
            for here in (os.path.relpath(os.path.join(path, n), self.at) for n in names if not n.endswith(".new")):
                m = re.fullmatch(r"tile/(entries|\d|[1-5]\d|6[0-3])/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d?|1\d\d|2[0-4]\d|25[0-5]))?", here)
                want = m and self.tree.tile(m[1], int(re.sub(r"\D", "", m[2])), int(m[3] or 256))
                must(want and read(self.at, here) == want, "%s/%s: it differs from the records" % (self.at, here))
                need.discard(here)
        must(not need, "%s: %s is missing" % (self.at, min(need, default="")))
def number(level, n, width):
    name, n = "%03d" % (n % 1000), n // 1000
    while n: name, n = "x%03d/%s" % (n % 1000, name), n // 1000
    return "tile/%s/%s" % (level, name) + (".p/%d" % width if width < 256 else "")

LINE = re.compile(rb'(\{.*,"seq":([1-9]\d*),"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}', re.S)
def tenant_of(record):
    locum = record.get("locum") or {}
    uid = locum["tenant"].get("uid") if isinstance(locum.get("tenant"), dict) else None
    return next((t for t in (uid, locum.get("tenant_id")) if isinstance(t, str)), None)
def torn(tail): return re.fullmatch(rb"(\{[\x20-\xff]*?)?\0*", tail) and not any(LINE.fullmatch(tail[:m.end()]) for m in re.finditer(rb'"\}', tail))

def journal(at, keys=(), saved=()):
    """Raises Bad with the first fault; gives back how many records hold, the last hash and the whole tree's root."""
    seq, prev, place, record = 1, b"0" * 64, "", {}
    segments = sorted((n for n in os.listdir(at) if re.fullmatch(r"segment-\d{16,}\.jsonl", n)), key=lambda n: int(n[8:-6]))
    there = os.path.isdir(os.path.join(at, "tlog")) or keys or saved
    log, tenants, of = Log(os.path.join(at, "tlog"), keys, saved) if there else None, {}, os.path.join(at, "tlog", "tenants")
    for name in segments:
        must(int(name[8:-6]) == seq, "%s: it should begin with record %d" % (name, seq))
        *lines, tail = read(at, name).split(b"\n"); before = 0; footer = False
        for n, line in enumerate(lines, 1):
            place = "%s line %d, record %d" % (name, n, seq)
            m = LINE.fullmatch(line)
            must(m and not footer and int(m[2]) == seq and m[3] == prev, place + ": it does not follow")
            must(hashlib.sha256(m[1]).hexdigest().encode() == m[4], place + ": it was changed")
            try: record = json.loads(line); event, locum = record["metadata"]["event_code"], record.get("locum") or {}
            except (ValueError, KeyError, TypeError): raise Bad(place + ": it is no record")
            footer = event == "segment.sealed"
            must(not footer or [locum.get(k) for k in ("first", "records", "bytes")] == [int(name[8:-6]), n, before], place + ": the footer counts otherwise")
            seq, prev, before, entry, tenant = seq + 1, m[4], before + len(line) + 1, bytes.fromhex(m[4].decode()), tenant_of(record)
            if log: log.append(seq - 1, entry)
            if log and tenant is not None and os.path.isdir(of):
                if tenant not in tenants: tenants[tenant] = Log(os.path.join(of, encoded(tenant)), of_tenant(keys, tenant))
                tenants[tenant].append(seq - 1, entry)
        must(footer or name == segments[-1], "%s: its end is missing" % name)
        must(not tail or name == segments[-1] and not footer and torn(tail), "%s line %d, record %d: neither whole nor torn by a crash" % (name, len(lines) + 1, seq))
    if log:
        log.finish(); must(log.published or not keys or seq == 1, at + "/tlog: there is no checkpoint")
        must(set(os.listdir(of) if os.path.isdir(of) else []) == {encoded(t) for t in tenants}, of + ": trees and tenants differ")
        for tenant, tree in tenants.items():
            tree.finish(); want = b"".join(s.to_bytes(8, "big") for s in tree.seqs); found = read(tree.at, "seqs") or b""
            must(want.startswith(found) and len(found) >= 8 * tree.published, tree.at + "/seqs: it differs from the records")
    return seq - 1, prev.decode(), log and log.tree.root()

def proof(text, word):  # a number, hashes, and the checkpoint that they lead to
    m = re.fullmatch(word + rb" (0|[1-9]\d*)\n((?:[^\n]+\n)*)\n(.*)", text, re.S)
    must(m, "no such proof")
    return int(m[1]), [b64(h) for h in m[2].split(b"\n")[:-1]], m[3]
def inclusion(text, line, keys):
    index, path, note = proof(text, rb"c2sp\.org/tlog-proof@v1\nindex")
    (_, size, root), m = checkpoint(note, keys), LINE.fullmatch(line.rstrip(b"\n"))
    must(m and hashlib.sha256(m[1]).hexdigest().encode() == m[4], "the record was changed")
    h, at, last = sha(b"\0", bytes.fromhex(m[4].decode())), index, size - 1  # RFC 9162 section 2.1.3.2
    must(index < size, "the checkpoint has no such leaf")
    for other in path:
        must(last and len(other) == 32, "the path is too long")
        h = node(other, h) if at & 1 or at == last else node(h, other)
        while not at & 1 and at == last and at: at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    must(not last and h == root, "the path does not lead to the root")
def consistency(text, older, keys):
    size1, path, note = proof(text, b"old")
    (origin, size2, root2), (origin1, size, root1) = checkpoint(note, keys), checkpoint(older, keys)
    must(origin == origin1 and size == size1 <= size2, "these are no two sizes of one log")
    if size1 in (0, size2): return must(not path and (root1 == root2 or not size1 and root1 == sha()), "the roots differ")
    if not size1 & size1 - 1: path = [root1] + path  # RFC 9162 section 2.1.4.2
    must(path and all(len(h) == 32 for h in path), "the path is too short")
    at, last, a = size1 - 1, size2 - 1, path[0]
    while at & 1: at, last = at >> 1, last >> 1
    b = a
    for other in path[1:]:
        must(last, "the path is too long")
        if at & 1 or at == last:
            a, b = node(other, a), node(other, b)
            while at and not at & 1: at, last = at >> 1, last >> 1
        else: b = node(b, other)
        at, last = at >> 1, last >> 1
    must(not last and a == root1 and b == root2, "the path does not lead from the one root to the other")
def tenant(name, lines, note, keys):
    (_, size, root), tree = checkpoint(note, of_tenant(keys, name)), Tree()
    for n, line in enumerate(lines.split(b"\n")[:-1], 1):
        m = LINE.fullmatch(line)
        must(m and hashlib.sha256(m[1]).hexdigest().encode() == m[4] and tenant_of(json.loads(line)) == name, "line %d is no record of the tenant" % n)
        if tree.size < size: tree.append(bytes.fromhex(m[4].decode()))
    must(tree.size == size and tree.root() == root, "the checkpoint covers other records")

def main(args):
    take = lambda flag: [args.pop(i + 1) for i in reversed(range(len(args))) if args[i] == flag and not args.pop(i) == ""]
    keys = [vkey(text) for text in (args.pop(i + 1) for i in reversed([i for i, a in enumerate(args) if a == "--vkey"]))]
    saved = [(os.path.abspath(n), read(n)) for n in (args.pop(i + 1) for i in reversed([i for i, a in enumerate(args) if a == "--saved"]))]
    what, *args = [a for a in args if a not in ("--vkey", "--saved")]
    if what == "journal": print("intact: %d records, last hash %s" % journal(args[0], keys, saved)[:2], "" if keys else "(signatures NOT checked)")
    else: {"inclusion": inclusion, "consistency": consistency}[what](read(args[0]), read(args[1]), keys) if what != "tenant" else tenant(args[0], read(args[1]), read(args[2]), keys); print("good")
if __name__ == "__main__":
    if len(sys.argv) < 3: sys.exit(__doc__)
    try: main(sys.argv[1:])
    except (Bad, OSError, ValueError, IndexError) as why: sys.exit("NOT GOOD: %s" % why)
