//! Compiles the files into a policy, or says everything that is wrong with them.

use super::cedar::{Forbids, Vocabulary};
use super::digest;
use super::files::{self, Kind, Source};
use super::graphql::{Parsed, Persisted};
use super::options::{LoadOptions, Settings};
use super::overlap;
use super::pack::{self, Pack, PackRows};
use super::problem::{Problem, Problems};
use super::read_scopes::read_scopes;
use super::reader::{Keys, Sheet};
use super::row::Row;
use super::scopes::Scopes;
use super::table::{RowId, Table};
use super::words::FnvMap;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// A compiled policy. Immutable; a reload makes another.
pub struct Policy {
    pub(super) settings: Settings,
    /// Most specific first, so that a smaller number has the better claim.
    pub(super) rows: Vec<Row>,
    pub(super) apps: FnvMap<Box<str>, Tables>,
    /// For an app that no row names.
    pub(super) others: Tables,
    pub(super) actions: Vec<Arc<str>>,
    pub(super) scopes: Scopes,
    pub(super) persisted: Persisted,
    pub(super) pack: &'static Pack,
    /// The pack's rows that are on.
    pub(super) pack_on: PackRows,
    pub(super) forbids: Option<Forbids>,
    digest: String,
}

/// The rows of one app.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) allow: Table,
    /// In lower case.
    pub(super) deny: Table,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Policy({} rows, {})", self.rows.len(), self.digest)
    }
}

impl Policy {
    /// Reads files and folders (`*.toml` but `*.cases.toml`, and `*.cedar`) and compiles them with
    /// the built-in pack. Never half: one mistake anywhere and there is no policy.
    pub fn load(paths: &[PathBuf], options: &LoadOptions) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let sources = files::gather(paths, &options.settings, &mut problems);
        Self::compile(&sources, options, problems)
    }

    /// How many rows there are, without the built-in pack.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// SHA-256 (hex) over all sources, the built-in pack and its version.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(super) fn compile(
        sources: &[Source],
        options: &LoadOptions,
        mut problems: Vec<Problem>,
    ) -> Result<Self, Problems> {
        let pack = match Pack::shipped() {
            Ok(pack) => pack,
            Err(why) => {
                problems.push(whole_file(
                    "the built-in pack",
                    why,
                    "Use an unmodified build",
                ));
                return Err(Problems::new(problems));
            }
        };
        let mut draft = Draft {
            options,
            pack,
            rows: Vec::new(),
            scopes: Scopes::default(),
            persisted: Persisted::default(),
            pack_off: 0,
        };
        for source in sources.iter().filter(|source| source.kind == Kind::Rows) {
            problems.extend(draft.read(source));
        }
        problems.extend(draft.duplicates());
        if draft.rows.len() > options.settings.max_rows.min(usize::from(RowId::MAX)) {
            let what = format!(
                "{} rows are more than {}",
                draft.rows.len(),
                options.settings.max_rows
            );
            problems.push(whole_file(
                "policy",
                &what,
                "Join rows, or raise the limit max_rows",
            ));
            return Err(Problems::new(problems));
        }
        draft.rows.sort_by(overlap::by_specificity);
        problems.extend(overlap::examine(&draft.rows, &options.settings));
        let actions = draft.number_actions();
        let forbids = compile_cedar(&mut draft.rows, &actions, sources, &mut problems);
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        draft.scopes.compile(&actions);
        Ok(Self {
            settings: options.settings.clone(),
            apps: tables_by_app(&draft.rows),
            others: tables(&draft.rows, None),
            actions,
            scopes: draft.scopes,
            persisted: draft.persisted,
            pack,
            pack_on: pack.all() & !draft.pack_off,
            forbids,
            digest: digest_of(sources, pack),
            rows: draft.rows,
        })
    }
}

fn whole_file(file: &str, what: &str, remedy: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 0,
        key: String::new(),
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    }
}

fn digest_of(sources: &[Source], pack: &Pack) -> String {
    let version = pack.version.to_string();
    let own = sources.iter().filter(|source| source.kind != Kind::Cases);
    let own = own.map(|source| (source.name.as_str(), source.text.as_str()));
    digest::of_all(
        [("pack", pack::TEXT), ("pack-version", version.as_str())]
            .into_iter()
            .chain(own),
    )
}

/// What was read so far.
struct Draft<'o> {
    options: &'o LoadOptions,
    pack: &'static Pack,
    rows: Vec<Row>,
    scopes: Scopes,
    persisted: Persisted,
    pack_off: PackRows,
}

impl Draft<'_> {
    fn read(&mut self, source: &Source) -> Vec<Problem> {
        let sheet = Sheet::new(&source.path, &source.text);
        let table = sheet.parse();
        let file: Arc<str> = source.path.as_str().into();
        {
            let keys = Keys::new(&sheet, &table, 0..0, "");
            for (row, at) in keys.tables("rows") {
                let keys = Keys::new(&sheet, row, at, "rows");
                let row = Row::read(&keys, &file, self.pack);
                self.check_app(&keys, row.as_ref());
                self.rows.extend(row.map(|row| row.raised(self.pack)));
            }
            read_scopes(&keys, &mut self.scopes);
            self.read_persisted(&keys);
            if let Some((table, at)) = keys.table("pack") {
                let keys = Keys::new(&sheet, table, at, "pack");
                for text in keys.texts("off") {
                    self.pack_off |= super::read_row::pack_row(&keys, "off", &text, self.pack);
                }
                keys.done();
            }
            keys.done();
        }
        sheet.into_problems()
    }

    fn check_app(&self, keys: &Keys<'_, '_>, row: Option<&Row>) {
        let app = row.and_then(|row| row.app.as_deref());
        if let (Some(apps), Some(app)) = (&self.options.apps, app)
            && !apps.iter().any(|known| known == app)
        {
            let at = keys
                .value("app")
                .map_or(keys.at.clone(), toml::Spanned::span);
            keys.fault(
                at,
                "app",
                format!("{app:?} is no configured app"),
                format!("Use one of {}", apps.join(", ")),
            );
        }
    }

    fn read_persisted(&mut self, keys: &Keys<'_, '_>) {
        let Some((table, _)) = keys.table("persisted") else {
            return;
        };
        for (hash, value) in table {
            let parsed = value
                .get_ref()
                .as_str()
                .map(|text| Parsed::read(text, &self.options.settings));
            match parsed {
                Some(Ok(parsed)) => {
                    self.persisted
                        .insert(hash.get_ref().as_ref().into(), parsed);
                }
                _ => keys.fault(
                    value.span(),
                    "persisted",
                    "is no GraphQL document",
                    "Write the operation's text, as \"query Orders { orders { id } }\"",
                ),
            }
        }
    }

    fn duplicates(&self) -> Vec<Problem> {
        let mut first: HashMap<&str, &Row> = HashMap::new();
        let mut found = Vec::new();
        for row in &self.rows {
            if let Some(other) = first.insert(&row.id, row) {
                found.push(row.problem(
                    "id",
                    format!(
                        "{:?} is also the id of {}:{}",
                        row.id, other.file, other.line
                    ),
                    "Give each row its own id",
                ));
            }
        }
        found
    }

    fn number_actions(&mut self) -> Vec<Arc<str>> {
        let mut actions: Vec<Arc<str>> = Vec::new();
        let mut numbers: HashMap<Arc<str>, usize> = HashMap::new();
        for row in &mut self.rows {
            row.action_number = *numbers.entry(Arc::clone(&row.action)).or_insert_with(|| {
                actions.push(Arc::clone(&row.action));
                actions.len() - 1
            });
        }
        actions
    }
}

/// Compiles conditions and `.cedar` files; builds nothing of Cedar where there are none.
fn compile_cedar(
    rows: &mut [Row],
    actions: &[Arc<str>],
    sources: &[Source],
    problems: &mut Vec<Problem>,
) -> Option<Forbids> {
    let files: Vec<&Source> = sources
        .iter()
        .filter(|source| source.kind == Kind::Cedar)
        .collect();
    if files.is_empty() && rows.iter().all(|row| row.condition.is_none()) {
        return None;
    }
    let vocabulary = match Vocabulary::new(actions) {
        Ok(vocabulary) => vocabulary,
        Err(why) => {
            problems.push(whole_file(
                "policy",
                &format!("no Cedar schema: {why}"),
                "Name actions simply",
            ));
            return None;
        }
    };
    for row in rows {
        let Some((text, line)) = row.condition.clone() else {
            continue;
        };
        match vocabulary.condition(&text, &row.action) {
            Ok(condition) => row.when = Some(condition),
            Err(why) => problems.push(Problem {
                line,
                ..row.problem("when", why, "Write a Cedar expression over principal, resource and context (docs/policy.md)")
            }),
        }
    }
    let mut forbids = Forbids::new();
    for file in &files {
        if let Err(why) = vocabulary.forbid(&mut forbids, &file.name, &file.text) {
            problems.push(whole_file(
                &file.path,
                &why,
                "Write forbid policies over the schema of docs/policy.md",
            ));
        }
    }
    (forbids.len() > 0).then_some(forbids)
}

fn tables(rows: &[Row], app: Option<&str>) -> Tables {
    let mut tables = Tables::default();
    for (nth, row) in rows.iter().enumerate() {
        if row.app.is_some() && row.app.as_deref() != app {
            continue;
        }
        // Loading has refused more rows than a row number can hold.
        let id = RowId::try_from(nth).unwrap_or(RowId::MAX);
        if row.allows() {
            tables.allow.insert(&row.pattern, id, false);
        }
        if row.denies() {
            tables.deny.insert(&row.pattern, id, true);
        }
    }
    tables
}

fn tables_by_app(rows: &[Row]) -> FnvMap<Box<str>, Tables> {
    let apps: BTreeSet<&str> = rows.iter().filter_map(|row| row.app.as_deref()).collect();
    apps.into_iter()
        .map(|app| (app.into(), tables(rows, Some(app))))
        .collect()
}

impl Row {
    pub(super) fn problem(
        &self,
        key: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem {
            file: self.file.to_string(),
            line: self.line,
            key: format!("rows.{key}"),
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}
