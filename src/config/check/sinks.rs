//! Sinks: each kind has its own keys.

use super::Check;
use super::rest::{is_loopback, web_url};
use crate::config::SinkKind::{
    self, Elastic, File, Kafka, Nats, Otlp, S3, Splunk, Syslog, Webhook,
};
use crate::config::{LockMode, Sink};

/// The largest segment that is sent to a bucket in one piece. Bytes.
const ARCHIVED: u64 = 256 << 20;

/// Keys that mean something to some kinds only.
const OWN: [(&str, &[SinkKind]); 30] = [
    ("path", &[File]),
    ("max_bytes", &[File]),
    ("keep", &[File]),
    ("url", &[Webhook, Splunk, Elastic, Otlp, S3]),
    ("servers", &[Syslog, Nats, Kafka]),
    ("secret_file", &[Webhook, Splunk, Elastic, Otlp, Nats, S3]),
    ("secret_env", &[Webhook, Splunk, Elastic, Otlp, Nats, S3]),
    ("user", &[Webhook, Elastic, Otlp, Nats, S3]),
    ("secret_header", &[Webhook, Elastic, Otlp]),
    ("ca", &[Webhook, Splunk, Elastic, Otlp, Syslog, Nats, S3]),
    (
        "client_cert",
        &[Webhook, Splunk, Elastic, Otlp, Syslog, Nats],
    ),
    (
        "client_key",
        &[Webhook, Splunk, Elastic, Otlp, Syslog, Nats],
    ),
    ("tls", &[Syslog, Nats]),
    (
        "timeout",
        &[Webhook, Splunk, Elastic, Otlp, Syslog, Nats, Kafka, S3],
    ),
    ("format", &[Webhook]),
    ("acknowledge", &[Splunk, Syslog]),
    ("index", &[Splunk]),
    ("sourcetype", &[Splunk]),
    ("message", &[Syslog]),
    ("facility", &[Syslog]),
    ("host", &[Syslog]),
    ("enterprise", &[Syslog]),
    ("max_message", &[Syslog]),
    ("protocol", &[Otlp]),
    ("subject", &[Nats]),
    ("topic", &[Kafka]),
    ("key", &[Kafka]),
    ("bucket", &[S3]),
    ("region", &[S3]),
    ("prefix", &[S3]),
];

pub(super) fn check(check: &mut Check<'_>) {
    let sinks = &check.config.audit.sinks;
    let names: Vec<_> = sinks.iter().map(|sink| &sink.name).collect();
    check.unique("audit.sinks", "name", &names);
    for (n, sink) in sinks.iter().enumerate() {
        let key = format!("audit.sinks[{n}]");
        keys_fit(check, &key, sink);
        place(check, &key, sink);
        secrets(check, &key, sink);
        if sink.kind == S3 {
            archive(check, &key, sink);
        }
    }
}

fn keys_fit(check: &mut Check<'_>, key: &str, sink: &Sink) {
    let lock = [("lock", &[S3] as &[SinkKind]), ("lock_for", &[S3])];
    for (name, kinds) in OWN.into_iter().chain(lock) {
        let at = format!("{key}.{name}");
        if !kinds.contains(&sink.kind) && check.is_written(&at) {
            let message = format!("has no effect on a sink of kind {:?}", sink.kind.as_str());
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            let remedy = format!("remove it, or set kind to {}", kinds.join(" or "));
            check.problem(&at, message, remedy);
        }
    }
}

/// What must be there, and in the clear to loopback only.
fn place(check: &mut Check<'_>, key: &str, sink: &Sink) {
    match sink.kind {
        File if sink.path.is_none() => {
            let remedy = "name the file to append to";
            check.problem(&format!("{key}.path"), "missing", remedy);
        }
        Webhook | Splunk | Elastic | Otlp | S3 => {
            let at = format!("{key}.url");
            match &sink.url {
                None if sink.kind == S3 => {}
                None => check.problem(&at, "missing", "write the URL to send to"),
                Some(url) => web_url(check, &at, url),
            }
        }
        Syslog | Nats | Kafka => servers(check, key, sink),
        _ => {}
    }
}

fn servers(check: &mut Check<'_>, key: &str, sink: &Sink) {
    let at = format!("{key}.servers");
    if sink.servers.is_empty() || (sink.kind == Syslog && sink.servers.len() > 1) {
        let remedy = "write it as in [\"logs.example.com:6514\"]; syslog has one";
        check.problem(&at, "not the right number of servers", remedy);
    }
    for server in &sink.servers {
        let url = url::Url::parse(&format!("x://{server}"));
        let Some(url) = url
            .ok()
            .filter(|url| url.port().is_some() && url.path().is_empty())
        else {
            check.problem(
                &at,
                "not host:port",
                "write it as in \"logs.example.com:6514\"",
            );
            continue;
        };
        // An opaque scheme leaves addresses as texts.
        let host = url.host_str().unwrap_or_default();
        let http = url::Url::parse(&format!("http://{host}/"));
        let is_local = http.is_ok_and(|url| is_loopback(&url));
        let is_plain = sink.kind == Kafka || !sink.tls;
        if is_plain && !is_local {
            let remedy = if sink.kind == Kafka {
                "reach Kafka through a TLS proxy on this machine, such as stunnel: this build of librdkafka has no TLS"
            } else {
                "set tls to true; without it, to loopback only"
            };
            check.problem(&at, "records would travel in the clear", remedy);
        }
    }
}

fn secrets(check: &mut Check<'_>, key: &str, sink: &Sink) {
    if sink.secret_file.is_some() && sink.secret_env.is_some() {
        let remedy = "set one of secret_file and secret_env";
        check.problem(&format!("{key}.secret_file"), "two secrets", remedy);
    }
    let has_secret = sink.secret_file.is_some() || sink.secret_env.is_some();
    if sink.kind == Splunk && !has_secret {
        let remedy = "name the file or the variable with the collector's token";
        check.problem(&format!("{key}.secret_file"), "missing", remedy);
    }
    for (name, needs) in [
        ("user", sink.user.is_some()),
        ("secret_header", sink.secret_header.is_some()),
    ] {
        if needs && !has_secret {
            let remedy = "set secret_file or secret_env";
            check.problem(&format!("{key}.{name}"), "without a secret", remedy);
        }
    }
    if sink.client_cert.is_some() != sink.client_key.is_some() {
        let remedy = "set both or neither";
        check.problem(
            &format!("{key}.client_cert"),
            "a certificate and its key go together",
            remedy,
        );
    }
    let keys = [
        sink.pseudonym_key_file.is_some(),
        sink.pseudonym_key_env.is_some(),
    ];
    let needed = usize::from(!sink.pseudonyms.is_empty());
    if keys.into_iter().filter(|has| *has).count() != needed {
        let remedy = "pseudonyms need one of pseudonym_key_file and pseudonym_key_env, and nothing else does";
        check.problem(&format!("{key}.pseudonyms"), "not one key", remedy);
    }
}

/// Segments go as they are and in one piece.
fn archive(check: &mut Check<'_>, key: &str, sink: &Sink) {
    if sink.bucket.is_none() {
        check.problem(&format!("{key}.bucket"), "missing", "name the bucket");
    }
    if sink.user.is_none() {
        let remedy = "set it to the access key, and secret_file or secret_env to the secret key";
        check.problem(&format!("{key}.user"), "missing", remedy);
    }
    for (name, list) in [
        ("include", &sink.include),
        ("exclude", &sink.exclude),
        ("redact", &sink.redact),
        ("pseudonyms", &sink.pseudonyms),
    ] {
        if !list.is_empty() {
            let remedy = "remove it: an archive holds whole segments, so that they still verify";
            check.problem(
                &format!("{key}.{name}"),
                "has no effect on an archive",
                remedy,
            );
        }
    }
    if check.is_written(&format!("{key}.lock_for")) && sink.lock == LockMode::Off {
        let remedy = "set lock to \"governance\" or \"compliance\"";
        check.problem(&format!("{key}.lock_for"), "without a lock", remedy);
    }
    if check.config.audit.segment_bytes.bytes() > ARCHIVED {
        let remedy = "make it at most 256MiB: a segment is archived in one piece";
        check.problem("audit.segment_bytes", "too large for an archive", remedy);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{has, problems};

    #[test]
    fn what_does_not_fit_a_kind_is_refused_with_a_remedy() {
        for (keys, part) in [
            (
                "kind='splunk'\nurl='https://splunk:8088'",
                "collector's token",
            ),
            ("kind='elastic'", "audit.sinks[0].url: missing"),
            (
                "kind='elastic'\nurl='https://e'\nuser='u'",
                "without a secret",
            ),
            ("kind='syslog'", "not the right number of servers"),
            (
                "kind='syslog'\nservers=['a:1', 'b:2']",
                "not the right number of servers",
            ),
            ("kind='syslog'\nservers=['logs']", "not host:port"),
            (
                "kind='syslog'\nservers=['logs:514']\ntls=false",
                "in the clear",
            ),
            ("kind='kafka'\nservers=['kafka:9092']", "in the clear"),
            (
                "kind='nats'\nservers=['nats:4222']\nclient_cert='c'",
                "go together",
            ),
            ("kind='otlp'\nurl='http://collector:4318'", "not https"),
            ("kind='s3'", "audit.sinks[0].bucket: missing"),
            (
                "kind='s3'\nbucket='b'\nuser='u'\nredact=['locum']",
                "has no effect on an archive",
            ),
            (
                "kind='s3'\nbucket='b'\nuser='u'\nlock_for='1d'",
                "without a lock",
            ),
            ("kind='stdout'\nsubject='x'", "set kind to nats"),
            ("kind='stdout'\npseudonyms=['actor']", "not one key"),
            ("kind='stdout'\npseudonym_key_env='K'", "not one key"),
        ] {
            has(
                &problems(&format!("[[audit.sinks]]\nname='a'\n{keys}\n")),
                part,
            );
        }
        let large = "kind='s3'\nbucket='b'\nuser='u'\n[audit]\nsegment_bytes='1GiB'";
        has(
            &problems(&format!("[[audit.sinks]]\nname='a'\n{large}\n")),
            "too large for an archive",
        );
    }
}
