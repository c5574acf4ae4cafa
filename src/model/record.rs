//! How much of an exchange is recorded, and what happens where that cannot be kept up.

/// How much of an exchange is recorded besides its records in the journal.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    #[default]
    None,
    /// Heads of request and response, without bodies.
    Headers,
    /// Everything: heads, bodies, messages.
    Bodies,
}

impl Record {
    pub const ALL: [Self; 3] = [Self::None, Self::Headers, Self::Bodies];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Headers => "headers",
            Self::Bodies => "bodies",
        }
    }
}

/// What happens where the recorder cannot keep up, or the disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOverrun {
    /// The exchange goes on; tape and journal say what is missing.
    #[default]
    Gap,
    /// The exchange is refused, or cut.
    Fail,
}

/// Both, for one kind of exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordRule {
    pub record: Record,
    pub on_overrun: OnOverrun,
}
