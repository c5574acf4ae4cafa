//! `locum certs dev`.

use super::authority::{Authority, Names, covers};
use crate::cli::{Context, Exit, Failure};
use crate::config::{Config, OriginKind, Placement, environment};
use serde_json::json;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const AFTER_HELP: &str = "\
Makes a certificate authority of your own and a certificate for the session
origins of each app (*.<app>.<suffix>), for localhost, and for the app's own
hosts in inline placement or with a shared origin. Running it again changes
nothing while they are good; it renews what is missing, expires within 30 days
or lacks a name. Keys are readable by you only. The CA may only sign for these
names. Never use it where customers are.

Examples:
  locum certs dev
  locum certs dev --app shop --app desk --suffix localhost
  curl --cacert certs/dev/ca.pem https://localhost:8443/";

/// Make a CA and a certificate for this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Dev {
    /// Where to.
    #[arg(long, value_name = "DIR", default_value = "certs/dev")]
    dir: PathBuf,
    /// An app whose session origins are covered; may be repeated [default: the configured ones].
    #[arg(long, value_name = "NAME")]
    app: Vec<String>,
    /// The suffix of session origins [default: the configured one, else localhost].
    #[arg(long, value_name = "NAME")]
    suffix: Option<String>,
    /// One more host name or address; may be repeated.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Make everything new, the CA too.
    #[arg(long)]
    force: bool,
}

/// What became of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Unchanged,
    Renewed,
    Made,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Renewed => "renewed",
            Self::Made => "made",
        }
    }
}

impl Dev {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let names = self.names(context)?;
        let files = Files::new(&self.dir);
        let outcome = if self.force {
            make(&files, &names)?;
            Outcome::Made
        } else {
            ensure(&files, &names)?
        };
        print(context, &files, &names, outcome)?;
        Ok(Exit::Ok)
    }

    /// What the certificate must cover: from the arguments, else from the configuration.
    fn names(&self, context: &Context) -> Result<Names, Failure> {
        // Without apps on the command line the configuration must say them; a missing file means the
        // example's.
        let config = if context.config.exists() {
            match Config::load_without_files(&context.config, environment()) {
                Ok(config) => Some(config),
                Err(_) if !self.app.is_empty() => None,
                Err(problems) => return Err(crate::cli::unusable(problems)),
            }
        } else {
            None
        };
        let suffix = match (&self.suffix, &config) {
            (Some(suffix), _) => suffix.clone(),
            (None, Some(config)) => config.suffix.to_string(),
            (None, None) => "localhost".into(),
        };
        let apps = match (&config, self.app.is_empty()) {
            (_, false) => self.app.clone(),
            (Some(config), true) => config.apps.iter().map(|a| a.name.to_string()).collect(),
            (None, true) => vec!["shop".into()],
        };
        let more = match &config {
            Some(config) => own_hosts(config),
            None => vec!["*.replay.localhost".to_owned()],
        };
        let hosts = self.host.iter().cloned().chain(more);
        Names::new(&suffix, &apps, hosts).map_err(|name| {
            let message = format!("{name:?} is no host name");
            Failure::usage(
                message,
                "use labels of a-z, 0-9 and inner hyphens, or an IP address",
            )
        })
    }
}

/// The portal's host, and those that apps keep behind Locum.
fn own_hosts(config: &Config) -> Vec<String> {
    let portal = config
        .listeners
        .portal
        .public_url
        .iter()
        .map(|url| url.host().to_owned());
    let kept = config
        .apps
        .iter()
        .filter(|app| app.placement == Placement::Inline || app.origin == OriginKind::Shared);
    let urls = kept.flat_map(|app| {
        app.public_url
            .iter()
            .chain(app.origins.iter().map(|o| &o.public_url))
    });
    let replays = config.replay_host().map(|host| format!("*.{host}"));
    portal
        .chain(replays)
        .chain(urls.map(|url| url.host().to_owned()))
        .collect()
}

struct Files {
    dir: PathBuf,
    ca: PathBuf,
    ca_key: PathBuf,
    leaf: PathBuf,
    leaf_key: PathBuf,
}

impl Files {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            ca: dir.join("ca.pem"),
            ca_key: dir.join("ca.key"),
            leaf: dir.join("locum.pem"),
            leaf_key: dir.join("locum.key"),
        }
    }
}

/// Makes only what is missing or not good.
fn ensure(files: &Files, names: &Names) -> Result<Outcome, Failure> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let (Some(ca), Some(ca_key)) = (read(&files.ca), read(&files.ca_key)) else {
        make(files, names)?;
        return Ok(Outcome::Made);
    };
    if let (Some(leaf), Some(key)) = (read(&files.leaf), read(&files.leaf_key))
        && covers(&ca, &leaf, &key, names)
    {
        for key in [&files.ca_key, &files.leaf_key] {
            close(key)?;
        }
        return Ok(Outcome::Unchanged);
    }
    if let Some(authority) = Authority::from_pem(ca, &ca_key) {
        let (leaf, key) = authority.issue(names).map_err(cannot_sign)?;
        if covers(authority.certificate(), &leaf, &key, names) {
            write_leaf(files, &leaf, &key)?;
            return Ok(Outcome::Renewed);
        }
    }
    // The old CA is broken, expired or may not sign for a new name.
    make(files, names)?;
    Ok(Outcome::Made)
}

fn make(files: &Files, names: &Names) -> Result<(), Failure> {
    let authority = Authority::fresh(names).map_err(cannot_sign)?;
    let (leaf, key) = authority.issue(names).map_err(cannot_sign)?;
    fs::create_dir_all(&files.dir).map_err(|e| cannot_write(&files.dir, e))?;
    write(&files.ca, authority.certificate(), 0o644)?;
    write(&files.ca_key, &authority.key(), 0o600)?;
    write_leaf(files, &leaf, &key)
}

fn write_leaf(files: &Files, leaf: &str, key: &str) -> Result<(), Failure> {
    write(&files.leaf, leaf, 0o644)?;
    write(&files.leaf_key, key, 0o600)
}

/// Writes beside and renames, so that a serving Locum never reads half a file.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let beside = path.with_extension("new");
    let done = fs::remove_file(&beside)
        .or_else(|e| {
            if e.kind() == io::ErrorKind::NotFound {
                Ok(())
            } else {
                Err(e)
            }
        })
        .and_then(|()| {
            let mut options = fs::OpenOptions::new();
            options
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&beside)
        })
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    done.map_err(|error| cannot_write(path, error))
}

/// Makes sure that a key is readable by its owner only.
fn close(path: &Path) -> Result<(), Failure> {
    let closed = fs::metadata(path).and_then(|meta| {
        if meta.permissions().mode() & 0o777 == 0o600 {
            return Ok(());
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    });
    closed.map_err(|error| cannot_write(path, error))
}

fn cannot_write(path: &Path, error: io::Error) -> Failure {
    let message = format!("cannot write {}", path.display());
    Failure::cannot(message, "name a directory that is yours with --dir").because(error)
}

fn cannot_sign(error: rcgen::Error) -> Failure {
    let remedy = "look at the names: they must be host names or addresses";
    Failure::cannot("cannot make the certificate", remedy).because(error)
}

fn print(
    context: &mut Context,
    files: &Files,
    names: &Names,
    outcome: Outcome,
) -> Result<(), Failure> {
    let (ca, leaf, key) = (
        files.ca.display(),
        files.leaf.display(),
        files.leaf_key.display(),
    );
    let out = &mut context.out;
    if out.is_json() {
        return out.json(&json!({
            "outcome": outcome.as_str(),
            "ca": ca.to_string(),
            "cert": leaf.to_string(),
            "key": key.to_string(),
            "names": names.list(),
        }));
    }
    out.line(format!("{} in {}:", outcome.as_str(), files.dir.display()))?;
    out.facts(&[
        ("  ca.pem", "the CA, for browsers and tools to trust".into()),
        ("  locum.pem", format!("for {}", names.list().join(", "))),
        ("  locum.key", "its key, readable by you only".into()),
    ])?;
    if outcome != Outcome::Made {
        return out.line("The CA is the same: what trusted it trusts it still.");
    }
    out.line(format!(
        "\nIn the configuration:\n  tls = {{ cert = \"{leaf}\", key = \"{key}\" }}"
    ))?;
    out.line("\nTo trust the CA (it can vouch for these domains only):")?;
    out.facts(&[
        ("  curl", format!("curl --cacert {ca} …")),
        ("  Node", format!("NODE_EXTRA_CA_CERTS={ca}")),
        (
            "  Firefox",
            format!("Settings, Certificates, Authorities, Import {ca}"),
        ),
        (
            "  Chromium on Linux",
            format!("certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n locum-dev -i {ca}"),
        ),
        (
            "  macOS",
            format!("security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {ca}"),
        ),
        ("  Windows", format!("certutil -user -addstore Root {ca}")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(apps: &[&str]) -> Names {
        let apps: Vec<_> = apps.iter().map(ToString::to_string).collect();
        Names::new("localhost", &apps, []).expect("names")
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    }

    #[test]
    fn made_once_and_renewed_only_where_needed() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = Files::new(&dir.path().join("dev"));
        assert_eq!(ensure(&files, &names(&["shop"])).ok(), Some(Outcome::Made));
        assert_eq!((mode(&files.leaf_key), mode(&files.ca_key)), (0o600, 0o600));
        let first = fs::read_to_string(&files.leaf).expect("a certificate");
        let ca = fs::read_to_string(&files.ca).expect("a CA");

        assert_eq!(
            ensure(&files, &names(&["shop"])).ok(),
            Some(Outcome::Unchanged)
        );
        assert_eq!(fs::read_to_string(&files.leaf).ok(), Some(first.clone()));

        // Another app: the same CA signs again.
        assert_eq!(
            ensure(&files, &names(&["shop", "desk"])).ok(),
            Some(Outcome::Renewed)
        );
        assert_eq!(fs::read_to_string(&files.ca).ok(), Some(ca.clone()));
        assert_ne!(fs::read_to_string(&files.leaf).ok(), Some(first));

        // A key that does not belong: made again.
        fs::copy(&files.ca_key, &files.leaf_key).expect("copied");
        assert_eq!(
            ensure(&files, &names(&["shop"])).ok(),
            Some(Outcome::Renewed)
        );

        // A name beyond what the CA may sign for: a new CA.
        let other = Names::new("support.example", &["shop".into()], []).expect("names");
        assert_eq!(ensure(&files, &other).ok(), Some(Outcome::Made));
        assert_ne!(fs::read_to_string(&files.ca).ok(), Some(ca));
    }

    #[test]
    fn an_open_key_is_closed() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = Files::new(dir.path());
        ensure(&files, &names(&["shop"])).expect("made");
        fs::set_permissions(&files.leaf_key, fs::Permissions::from_mode(0o644)).expect("opened");
        ensure(&files, &names(&["shop"])).expect("unchanged");
        assert_eq!(mode(&files.leaf_key), 0o600);
    }
}
