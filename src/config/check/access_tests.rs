//! What does not fit together in `[tickets]`, `[subjects]` and `[[change_windows]]` is said where it stands.

use crate::config::{Config, HookSignature, TicketPreset};

const SMALLEST: &str = include_str!("../../../tests/data/smallest.toml");

fn read(more: &str) -> Result<Config, Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.toml");
    std::fs::write(&path, format!("{SMALLEST}{more}")).expect("written");
    Config::load_without_files(&path, Vec::new())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_whole_ticket_system_is_read() {
    let config = read(
        "[[tickets.systems]]\nname = 'jira'\npreset = 'jira'\nurl = 'https://acme.atlassian.net'\nusername = 'bot'\n\
         secret_file = '/x'\ntenant = '/fields/customfield_10050/value'\ntenants = { acme = 'Acme Corp' }\n\
         webhook = { signature = 'hub', secret_file = '/y' }\n[[change_windows]]\napp = 'shop'\n\
         from = '2026-03-01T22:00:00Z'\nto = '2026-03-02T02:00:00Z'\n",
    );
    let config = config.unwrap_or_else(|problems| panic!("{problems:#?}"));
    let system = config.tickets.systems.first().expect("it is there");
    assert_eq!(system.preset, TicketPreset::Jira);
    let webhook = system.webhook.as_ref().expect("it is there");
    assert_eq!(webhook.signature, HookSignature::Hub);
    assert_eq!(config.change_windows.len(), 1);
}

#[track_caller]
fn says(more: &str, part: &str) {
    let problems = read(more).err().unwrap_or_default();
    assert!(
        problems.iter().any(|it| it.contains(part)),
        "{part} in {problems:#?}"
    );
}

#[test]
fn ticket_systems_that_do_not_fit_are_said_where_they_stand() {
    let system = "[[tickets.systems]]\nname = 'desk'\n";
    for (more, part) in [
        (
            format!("{system}url = 'https://desk.example.com/t'\n"),
            "tickets.systems[0].url = \"https://desk.example.com/t\": has no {ticket}",
        ),
        (
            format!("{system}url = 'http://desk.example.com/{{ticket}}'\n"),
            "tickets.systems[0].url = \"http://desk.example.com/{ticket}\": not https",
        ),
        (
            format!("{system}url = 'https://{{ticket}}.example.com/'\n"),
            "its host depends on what is asked for",
        ),
        (
            format!("{system}url = 'https://a.example.com/{{ticket}}/{{id}}'\n"),
            "has another placeholder",
        ),
        (
            format!("{system}preset = 'jira'\nurl = 'https://a.example.com'\n"),
            "tickets.systems[0].tenant: missing",
        ),
        (
            format!("{system}url = 'https://a.example.com/{{ticket}}'\nstate = 'fields.status'\n"),
            "not a JSON pointer",
        ),
        (
            format!("{system}url = 'https://a.example.com/{{ticket}}'\nusername = 'bot'\n"),
            "has no password",
        ),
        (
            format!("{system}url = 'https://a.example.com/{{ticket}}'\nwebhook = {{}}\n"),
            "tickets.systems[0].webhook.secret_file: missing",
        ),
        (
            format!(
                "[tickets]\npatterns = ['A-#']\n{system}url = 'https://a.example.com/{{ticket}}'\n"
            ),
            "has no effect beside tickets.systems",
        ),
        (
            format!(
                "{system}url = 'https://a.example.com/{{ticket}}'\n{system}url = 'https://b.example.com/{{ticket}}'\n"
            ),
            "tickets.systems[0] has it already",
        ),
    ] {
        says(&more, part);
    }
}

#[test]
fn classes_and_windows_that_do_not_fit_are_said_where_they_stand() {
    for (more, part) in [
        (
            "[subjects]\nfile = 'x.json'\n",
            "of a kind that cannot be read",
        ),
        (
            "[subjects]\nurl = 'https://a.example.com/{tenant}'\n",
            "has no {subject}",
        ),
        (
            "[subjects]\nclasses = { gold = 'vpi' }\n",
            "subjects.classes.gold = \"vpi\": not a class",
        ),
        (
            "[[change_windows]]\nfrom = '2026-03-01T22:00:00Z'\nto = '2026-03-01T22:00:00Z'\n",
            "not after from",
        ),
        (
            "[[change_windows]]\napp = 'desk'\nfrom = '2026-03-01T22:00:00Z'\nto = 'tomorrow'\n",
            "change_windows[0].to = \"tomorrow\": not a time with its zone",
        ),
    ] {
        says(more, part);
    }
}
