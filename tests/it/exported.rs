//! A tenant's own records and the checkpoint of its tree, checked by `locum audit verify --export` and by `docs/verify.py`,
//! which shares no code with it: both take what is good, and refuse everything else.

use crate::faults::rig::{Rig, wait};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Records of two tenants, with a checkpoint of each tree half-way and at the end.
struct Made {
    rig: Rig,
    key: String,
    /// Each with its newline.
    records: Vec<String>,
    others: Vec<String>,
}

impl Made {
    fn new() -> Self {
        let mut rig = Rig::running("audit.log.interval = '100ms'");
        for n in 0..5 {
            assert_eq!(rig.get(&format!("/n/{n}")).expect("an answer").status, 200);
        }
        let issued = rig.locum(&[
            "grant",
            "issue",
            "--operator",
            "ada@support.example",
            "--subject",
            "kim@other.example",
            "--tenant",
            "other",
            "--scope",
            "view",
            "--ticket",
            "SUP-2",
            "--reason",
            "Another's",
        ]);
        assert!(issued.status.success(), "{issued:?}");
        let signed = |rig: &Rig, tenant: &str| checkpoint(rig, tenant).is_file();
        assert!(wait(|| signed(&rig, "acme") && signed(&rig, "other")));
        std::fs::copy(checkpoint(&rig, "acme"), rig.dir().join("older")).expect("copied");
        for n in 0..5 {
            assert_eq!(rig.get(&format!("/m/{n}")).expect("an answer").status, 200);
        }
        rig.stop();
        let shown = rig.locum(&["audit", "key", "show"]);
        let key = String::from_utf8(shown.stdout)
            .expect("text")
            .trim()
            .to_owned();
        let (records, others) = (of(&rig, "acme"), of(&rig, "other"));
        assert!(records.len() > 20 && !others.is_empty());
        Self {
            rig,
            key,
            records,
            others,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.rig.dir().join(name)
    }

    fn written(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.at(name), text).expect("a file");
        self.at(name)
    }

    /// What both say of an export: whether it is good, and in which words.
    fn judge(
        &self,
        tenant: &str,
        export: &Path,
        checkpoint: &Path,
        keys: &[&str],
    ) -> [(bool, String); 2] {
        let (export, checkpoint) = (
            export.display().to_string(),
            checkpoint.display().to_string(),
        );
        let vkeys = keys.iter().flat_map(|key| ["--vkey", *key]);
        let ours = [
            "audit",
            "verify",
            "--tenant",
            tenant,
            "--export",
            &export,
            "--checkpoint",
            &checkpoint,
        ];
        let ours: Vec<&str> = ours.into_iter().chain(vkeys.clone()).collect();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify.py");
        let theirs = [
            "export",
            &export,
            "--tenant",
            tenant,
            "--saved",
            &checkpoint,
        ];
        let theirs = Command::new("python3")
            .arg(script)
            .args(theirs.into_iter().chain(vkeys))
            .output();
        [self.rig.locum(&ours), theirs.expect("python3")].map(|it| said(&it))
    }

    fn takes(&self, what: &str, export: &Path, checkpoint: &Path) {
        for (good, said) in self.judge("acme", export, checkpoint, &[&self.key]) {
            assert!(good, "{what}: {said}");
        }
    }

    /// Both refuse it, and say where.
    fn refuses(&self, what: &str, export: &Path, checkpoint: &Path, place: &str) {
        for (good, said) in self.judge("acme", export, checkpoint, &[&self.key]) {
            assert!(!good, "{what}: {said}");
            assert!(
                said.contains(place),
                "{what}: it does not say {place:?}: {said}"
            );
        }
    }
}

fn said(output: &Output) -> (bool, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn checkpoint(rig: &Rig, tenant: &str) -> PathBuf {
    rig.journal()
        .join("tlog/tenants")
        .join(tenant)
        .join("checkpoint")
}

fn of(rig: &Rig, tenant: &str) -> Vec<String> {
    let mut found = Vec::new();
    for segment in rig.segments() {
        let text = std::fs::read_to_string(segment).expect("text");
        for line in text.split_inclusive('\n') {
            let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let locum = &record["locum"];
            if locum["tenant"]["uid"] == tenant || locum["tenant_id"] == tenant {
                found.push(line.to_owned());
            }
        }
    }
    found
}

#[test]
fn a_tenant_s_records_are_taken_whole_and_in_no_other_way() {
    let made = Made::new();
    let (records, now, older) = (
        &made.records,
        checkpoint(&made.rig, "acme"),
        made.at("older"),
    );
    let good = made.written("good", records.concat());
    made.takes("all", &good, &now);
    made.takes("more than an older checkpoint covers", &good, &older);
    let open = made.written("open", records.concat().trim_end());
    made.takes("the last line without its end", &open, &now);

    let last = records.len();
    let mut cases = 0;
    let mut bad = |what: &str, lines: &[String], place: &str| {
        cases += 1;
        made.refuses(what, &made.written("bad", lines.concat()), &now, place);
    };
    for at in [0, 1, last / 2, last - 1] {
        let mut lines = records.clone();
        lines.remove(at);
        bad(&format!("record {at} left out"), &lines, "bad");
        let mut lines = records.clone();
        lines.insert(at, records[at].clone());
        bad(
            &format!("record {at} twice"),
            &lines,
            &format!("line {}", at + 2),
        );
        let mut lines = records.clone();
        lines[at] = lines[at].replacen("\"time\":1", "\"time\":2", 1);
        assert_ne!(lines[at], records[at]);
        bad(
            &format!("record {at} changed"),
            &lines,
            &format!("line {}", at + 1),
        );
        let mut lines = records.clone();
        lines[at] = made.others[0].clone();
        bad(
            &format!("another's record for {at}"),
            &lines,
            &format!("line {}", at + 1),
        );
        if at + 1 < last {
            let mut lines = records.clone();
            lines.swap(at, at + 1);
            bad(
                &format!("record {at} moved"),
                &lines,
                &format!("line {}", at + 2),
            );
        }
    }
    bad("nothing", &[], "bad");
    bad("cut to half", &records[..last / 2], "bad");
    let mut torn = records.clone();
    torn[last - 1].truncate(40);
    bad("torn", &torn, &format!("line {last}"));
    println!("{cases} bad exports of {last} records, refused and named by both");
}

#[test]
fn a_checkpoint_of_somebody_else_s_proves_nothing() {
    let made = Made::new();
    let now = checkpoint(&made.rig, "acme");
    let good = made.written("good", made.records.concat());
    let none = "no key that was given";
    made.refuses(
        "another tenant's",
        &good,
        &checkpoint(&made.rig, "other"),
        none,
    );
    made.refuses(
        "the whole log's",
        &good,
        &made.rig.journal().join("tlog/checkpoint"),
        none,
    );
    let text = std::fs::read_to_string(&now).expect("a note");
    let size = text.lines().nth(1).expect("a size").to_owned();
    let fewer = text.replacen(&format!("\n{size}\n"), "\n3\n", 1);
    made.refuses("another size", &good, &made.written("fewer", fewer), "fit");
    let unsigned = text.split("\n\n").next().expect("a text").to_owned() + "\n\n";
    made.refuses(
        "no signature",
        &good,
        &made.written("unsigned", unsigned),
        "",
    );

    let witness = witness_key("w.example");
    for (good, said) in made.judge("acme", &good, &now, &[&made.key, &witness]) {
        assert!(!good && said.contains("cosigned"), "{said}");
    }
    for (good, said) in made.judge("other", &made.at("good"), &now, &[&made.key]) {
        assert!(!good, "as another tenant's: {said}");
    }
}

/// The verifier key of a witness that nobody asked.
fn witness_key(name: &str) -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::Engine as _;
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a pair");
    let public = [&[4], pair.public_key().as_ref()].concat();
    let id = digest(&SHA256, &[name.as_bytes(), b"\n", &public].concat());
    let id = id.as_ref().iter().take(4);
    let id = id.fold(0_u32, |id, byte| id << 8 | u32::from(*byte));
    let public = base64::engine::general_purpose::STANDARD.encode(public);
    format!("{name}+{id:08x}+{public}")
}
