//! What commands print: lines, aligned tables, JSON; colours only on a terminal.

use super::exit::Failure;
use std::io::{self, Write};

/// Where a command's answer goes.
pub(super) struct Output {
    to: Box<dyn Write>,
    json: bool,
    colour: bool,
}

/// A colour by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
    Warn,
    Strong,
    Faint,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warn => "33",
            Self::Strong => "1",
            Self::Faint => "2",
        }
    }

    /// `text` in this tone, or as it is.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        if colour && self != Self::Plain {
            format!("\x1b[{}m{text}\x1b[0m", self.code())
        } else {
            text.to_owned()
        }
    }
}

/// Whether a stream shows colours: a terminal, and nobody objects (<https://no-color.org>).
pub(super) fn has_colour(stream: &impl io::IsTerminal) -> bool {
    stream.is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Output {
    /// Standard output.
    pub(super) fn stdout(json: bool) -> Self {
        let stdout = io::stdout();
        let colour = has_colour(&stdout);
        Self {
            to: Box::new(io::LineWriter::new(stdout)),
            json,
            colour,
        }
    }

    /// Whether the answer is for a program.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// `text` in this tone where colours show.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        tone.paint(text, self.colour)
    }

    /// One line.
    pub(super) fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.to, "{}", text.as_ref())?;
        Ok(())
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes)?;
        self.to.flush()?;
        Ok(())
    }

    /// One JSON value on one line.
    pub(super) fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(io::Error::from)?;
        self.line(text)
    }

    /// A table with aligned columns. `head` names them; a cell has its tone.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<Cell>]) -> Result<(), Failure> {
        let head: Vec<Cell> = head.iter().map(|h| Cell::new(*h, Tone::Faint)).collect();
        let widths = widths(&head, rows);
        for row in std::iter::once(&head).chain(rows) {
            let mut line = String::new();
            for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str(&self.paint(cell.tone, &cell.text));
                if n + 1 < row.len() {
                    let gap = width + 2 - cell.text.chars().count().min(*width);
                    line.extend(std::iter::repeat_n(' ', gap));
                }
            }
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// Names and values, the values aligned; empty values are left out.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) -> Result<(), Failure> {
        let shown: Vec<_> = facts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in shown {
            let name = self.paint(Tone::Faint, &format!("{name:width$}"));
            self.line(format!("{name}  {value}"))?;
        }
        Ok(())
    }
}

/// One cell of a table.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Control characters are replaced, so that no stored text can command the terminal.
    pub(super) fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        Self {
            text: printable(text.as_ref()),
            tone,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// The text with control and bidirectional formatting characters replaced.
pub(super) fn printable(text: &str) -> String {
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(bad, "\u{fffd}")
}

fn widths(head: &[Cell], rows: &[Vec<Cell>]) -> Vec<usize> {
    let column = |n: usize| {
        let cells = rows.iter().filter_map(|row| row.get(n)).chain(head.get(n));
        cells
            .map(|cell| cell.text.chars().count())
            .max()
            .unwrap_or(0)
    };
    (0..head.len()).map(column).collect()
}

/// Says something on stderr.
pub(super) fn tell(text: &str) {
    // Nothing is left to be done if stderr is gone.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says on stderr why a command failed, and what to do.
pub(super) fn complain(failure: &Failure) {
    let stderr = io::stderr();
    let colour = has_colour(&stderr);
    let mut to = stderr.lock();
    // Nothing is left to be done if stderr is gone.
    let _ = writeln!(to, "{} {failure}", Tone::Bad.paint("locum:", colour));
    if !failure.remedy().is_empty() {
        let _ = writeln!(
            to,
            "{} {}",
            Tone::Strong.paint("  try:", colour),
            failure.remedy()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printed(colour: bool, print: impl FnOnce(&mut Output)) -> String {
        let shared = Shared::default();
        let to = Box::new(shared.clone());
        print(&mut Output {
            to,
            json: false,
            colour,
        });
        let bytes = shared.0.lock().clone();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn tables_align_and_stored_text_commands_nothing() {
        let rows = vec![
            vec![
                "g1".into(),
                "kim@acme.example".into(),
                Cell::new("live", Tone::Good),
            ],
            vec![
                "g200".into(),
                "x\x1b[2Jé".into(),
                Cell::new("ended", Tone::Faint),
            ],
        ];
        let text = printed(false, |out| {
            let _ = out.table(&["GRANT", "SUBJECT", "STATE"], &rows);
        });
        insta::assert_snapshot!(text, @r"
        GRANT  SUBJECT           STATE
        g1     kim@acme.example  live
        g200   x�[2Jé            ended
        ");
    }

    #[test]
    fn facts_align_and_leave_out_what_is_empty() {
        let text = printed(true, |out| {
            let _ = out.facts(&[("grant", "g1".into()), ("ticket", String::new())]);
        });
        assert_eq!(text, "\x1b[2mgrant\x1b[0m  g1\n");
    }
}
