"""Validates journals against OCSF as published: each record by the schema of its class and profiles, plus our one extension.

    ocsf.py RECORD_SCHEMA DIR…

The extension adds four members to every class: `locum`, `seq`, `prev`, `hash` (docs/record.schema.json). Everything else must be
OCSF's own. Prints how many records of each event and class were valid; exits 1 at what is not.
"""

import collections
import glob
import json
import re
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

EXTENSION = ("locum", "seq", "prev", "hash")


class Classes:
    """The schema of each class, with the extension in it."""

    def __init__(self):
        self.known = {}
        self.validators = {}

    def validator(self, record):
        version = record["metadata"]["version"]
        profiles = tuple(record["metadata"].get("profiles", []))
        wanted = (version, record["class_uid"], profiles)
        if wanted not in self.validators:
            if version not in self.known:
                raw = get_ocsf_schema(version=version)
                self.known[version] = (raw, OcsfJsonSchemaEmbedded(raw))
            raw, schemas = self.known[version]
            name = schemas.lookup_class_name_from_uid(record["class_uid"])
            schema = schemas.get_class_schema(name, list(profiles))
            schema["properties"] |= {member: True for member in EXTENSION}
            self.validators[wanted] = (Draft202012Validator(schema), raw)
        return self.validators[wanted]


def addresses(value, raw):
    """Texts that OCSF gives a pattern, which the JSON Schema leaves out."""
    pattern = re.compile(raw["types"]["ip_t"]["regex"])
    for name in ("src_endpoint", "dst_endpoint"):
        ip = value.get(name, {}).get("ip")
        if ip is not None and not pattern.search(ip):
            yield f"{name}.ip is no address: {ip}"


def wrong(record, classes):
    validator, raw = classes.validator(record)
    for error in validator.iter_errors(record):
        yield f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
    yield from addresses(record, raw)
    activity = record["activity_id"]
    if record["type_uid"] != record["class_uid"] * 100 + activity:
        yield "type_uid is not class_uid * 100 + activity_id"
    if activity == 99 and not record.get("activity_name"):
        yield "activity 99 without an activity_name"
    if [it["name"] for it in record["metadata"].get("extensions", [])] != ["locum"]:
        yield "metadata.extensions does not name the extension"


def main(schema, *dirs):
    with open(schema) as file:
        ours = json.load(file)
    Draft202012Validator.check_schema(ours)
    ours = Draft202012Validator(ours)
    classes, valid, failed = Classes(), collections.Counter(), 0
    for directory in dirs:
        for path in sorted(glob.glob(f"{directory}/segment-*.jsonl")):
            for line in open(path, encoding="utf-8"):
                record = json.loads(line)
                code = record["metadata"]["event_code"]
                found = list(wrong(record, classes))
                found += [f"our schema: {error.json_path}: {error.message[:300]}" for error in ours.iter_errors(record)]
                valid[(record["class_uid"], code)] += not found
                failed += bool(found)
                for one in found:
                    print(f"{code} (record {record['seq']}): {one}", file=sys.stderr)
    for (uid, code), count in sorted(valid.items()):
        print(f"{uid} {code}: {count} valid")
    print(f"{sum(valid.values())} records of {len(valid)} events are valid OCSF, {failed} are not")
    return 1 if failed or not valid else 0


sys.exit(main(*sys.argv[1:]))
