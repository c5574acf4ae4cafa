//! Sets of HTTP methods, as a row lists them and as a request asks.

const KNOWN: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];
const GET: u16 = 1;
const HEAD: u16 = 1 << 1;
const DELETE: u16 = 1 << 5;
const SAFE: u16 = GET | HEAD | 1 << 6;

/// The method of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    name: &'a str,
    /// As spelt; 0 for one that is not among the known.
    exact: u16,
    /// In any case: what a deny row goes by.
    folded: u16,
}

impl<'a> Asked<'a> {
    pub(super) fn new(name: &'a str, is_websocket: bool) -> Self {
        // RFC 8441 §4: the WebSocket handshake over HTTP/2 is an extended CONNECT.
        if is_websocket && name == "CONNECT" {
            return Self::new("GET", false);
        }
        let exact = bit(name, str::eq);
        let folded = if exact == 0 {
            bit(name, str::eq_ignore_ascii_case)
        } else {
            exact
        };
        Self {
            name,
            exact,
            folded,
        }
    }

    pub(super) fn is_head(self) -> bool {
        self.exact == HEAD
    }

    /// RFC 9110 §9.2.1, as far as `read-only` goes.
    pub(super) fn is_safe(self) -> bool {
        self.exact & SAFE != 0
    }

    pub(super) fn is_delete(self) -> bool {
        self.folded == DELETE
    }
}

fn bit(name: &str, same: impl Fn(&str, &str) -> bool) -> u16 {
    KNOWN
        .iter()
        .position(|known| same(known, name))
        .map_or(0, |nth| 1 << nth)
}

/// The methods of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Methods {
    any: bool,
    known: u16,
    others: Vec<Box<str>>,
}

impl Methods {
    /// Reads `GET|POST` or `*`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut methods = Self::default();
        for name in text.split('|') {
            if name == "*" {
                methods.any = true;
            } else if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
            {
                return Err(format!("{name:?} is not a method"));
            } else if bit(name, str::eq) == 0 {
                methods.others.push(name.into());
            } else {
                methods.known |= bit(name, str::eq);
            }
        }
        if methods.any && (methods.known != 0 || !methods.others.is_empty()) {
            return Err("`*` stands beside other methods".to_owned());
        }
        Ok(methods)
    }

    /// Whether an allow row with these methods is for the request. HEAD counts as GET here;
    /// [`Methods::names_head`] tells which row has the better claim.
    pub(super) fn allow(&self, asked: Asked<'_>) -> bool {
        self.any
            || self.known & asked.exact != 0
            || (asked.is_head() && self.known & GET != 0)
            || (asked.exact == 0 && self.others.iter().any(|other| **other == *asked.name))
    }

    /// Whether a deny row is for the request: in any case, and HEAD is always a kind of GET.
    pub(super) fn deny(&self, asked: Asked<'_>) -> bool {
        let other = |other: &str| other.eq_ignore_ascii_case(asked.name);
        self.any
            || self.known & asked.folded != 0
            || (asked.folded == HEAD && self.known & GET != 0)
            || (asked.folded == 0 && self.others.iter().any(|name| other(name)))
    }

    pub(super) fn names_head(&self) -> bool {
        self.known & HEAD != 0
    }

    pub(super) fn is_any(&self) -> bool {
        self.any
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.any
            || other.any
            || self.known & other.known != 0
            || self.others.iter().any(|name| other.others.contains(name))
    }

    /// What is left of these methods when `other` has taken its own.
    pub(super) fn without(mut self, other: &Self) -> Self {
        if other.any {
            return Self::default();
        }
        self.known &= !other.known;
        self.others.retain(|name| !other.others.contains(name));
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.any && self.known == 0 && self.others.is_empty()
    }

    /// Whether one of them changes something (RFC 9110 §9.2.1).
    pub(super) fn any_unsafe(&self) -> bool {
        self.any || self.known & !SAFE != 0 || !self.others.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_star_parse_and_nothing_else() {
        for good in ["GET", "GET|POST", "*", "PROPFIND|M-SEARCH"] {
            assert!(Methods::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "get", "GET|", "*|GET", "GET, POST"] {
            assert!(Methods::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn head_is_a_get_and_denial_knows_no_case() -> Result<(), String> {
        let get = Methods::parse("GET")?;
        assert!(get.allow(Asked::new("HEAD", false)));
        assert!(!get.allow(Asked::new("get", false)));
        assert!(get.deny(Asked::new("get", false)));
        assert!(get.deny(Asked::new("Head", false)));
        assert!(get.allow(Asked::new("CONNECT", true)));
        assert!(!get.allow(Asked::new("CONNECT", false)));
        Ok(())
    }

    #[test]
    fn what_is_taken_is_gone() -> Result<(), String> {
        let both = Methods::parse("GET|PURGE")?;
        assert!(!both.clone().without(&Methods::parse("GET")?).is_empty());
        assert!(
            both.clone()
                .without(&Methods::parse("PURGE|GET")?)
                .is_empty()
        );
        assert!(both.without(&Methods::parse("*")?).is_empty());
        Ok(())
    }
}
