//! How the run is told: numbered steps, what was observed, and what went wrong.

use std::fmt::{self, Display};
use std::io::{IsTerminal as _, Write as _};

/// A step did not show what it should have.
#[derive(Debug)]
pub(crate) struct Broken {
    expected: String,
    seen: String,
}

impl Broken {
    pub(crate) fn new(expected: impl Display, seen: impl Display) -> Self {
        Self {
            expected: expected.to_string(),
            seen: seen.to_string(),
        }
    }
}

impl Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}; saw {}", self.expected, self.seen)
    }
}

impl std::error::Error for Broken {}

/// Errors of libraries become a broken step that says what was being done.
pub(crate) trait While<T> {
    fn while_(self, doing: impl Display) -> Result<T, Broken>;
}

impl<T, E: Display> While<T> for Result<T, E> {
    fn while_(self, doing: impl Display) -> Result<T, Broken> {
        self.map_err(|why| Broken::new(doing, why))
    }
}

impl<T> While<T> for Option<T> {
    fn while_(self, doing: impl Display) -> Result<T, Broken> {
        self.ok_or_else(|| Broken::new(doing, "nothing"))
    }
}

/// The telling. Colours only on a terminal.
pub(crate) struct Story {
    step: u32,
    colours: bool,
    out: std::io::Stdout,
}

impl Story {
    pub(crate) fn begin() -> Self {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colours = std::io::stdout().is_terminal() && !is_plain;
        let out = std::io::stdout();
        Self {
            step: 0,
            colours,
            out,
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Prints one line; whoever reads may have gone, and then there is nobody to tell.
    pub(crate) fn line(&self, text: impl Display) {
        let _ = writeln!(self.out.lock(), "{text}");
    }

    pub(crate) fn head(&self, text: &str) {
        self.line(self.paint("1", text));
    }

    /// The next step.
    pub(crate) fn step(&mut self, title: &str) {
        self.step += 1;
        let number = self.paint("33;1", &format!("{:>2}", self.step));
        self.line(format_args!("\n{number}  {}", self.paint("1", title)));
    }

    /// Something that was observed and is right.
    pub(crate) fn saw(&self, text: impl Display) {
        let mark = self.paint("32", "✓");
        self.line(format_args!("    {mark} {text}"));
    }

    /// Says `text` if `holds`; else the step is broken.
    pub(crate) fn check(
        &self,
        holds: bool,
        text: impl Display,
        seen: impl Display,
    ) -> Result<(), Broken> {
        if holds {
            self.saw(text);
            Ok(())
        } else {
            Err(Broken::new(text, seen))
        }
    }

    /// Output of a command, set off.
    pub(crate) fn quote(&self, text: &str) {
        for line in text.lines() {
            self.line(format_args!("      {}", self.paint("2", line)));
        }
    }

    /// The end of a run that failed.
    pub(crate) fn fail(&self, broken: &Broken) {
        let mark = self.paint("31;1", "✗");
        self.line(format_args!("    {mark} expected: {}", broken.expected));
        self.line(format_args!("      saw:      {}", broken.seen));
    }
}
