//! Resource templates: `order:{order}`, filled from the path's captures.

use super::pattern::Pattern;
use smallvec::SmallVec;
use std::sync::Arc;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// No capture in it: shared by all requests.
    Fixed(Arc<str>),
    Filled(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(Box<str>),
    /// The capture in this segment.
    Capture(usize),
}

impl Template {
    /// As it was written.
    pub(super) fn written(&self, pattern: &Pattern) -> String {
        match self {
            Self::Fixed(text) => text.to_string(),
            Self::Filled(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => text.to_string(),
                    Part::Capture(nth) => match pattern.name_at(*nth) {
                        Some(name) => format!("{{{name}}}"),
                        None => "{?}".to_owned(),
                    },
                })
                .collect(),
        }
    }

    /// Reads a template whose captures must be those of `pattern`.
    pub(super) fn parse(text: &str, pattern: &Pattern) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, tail)) = after.split_once('}') else {
                return Err("an opening bracket without a closing one".to_owned());
            };
            let name = name.strip_prefix('*').unwrap_or(name);
            let Some(nth) = pattern.position(name) else {
                let known: Vec<&str> = pattern.names().collect();
                return Err(format!(
                    "{{{name}}} is no capture of the path, which has [{}]",
                    known.join(", ")
                ));
            };
            parts.push(Part::Text(before.into()));
            parts.push(Part::Capture(nth));
            rest = tail;
        }
        if parts.is_empty() {
            return Ok(Self::Fixed(text.into()));
        }
        parts.push(Part::Text(rest.into()));
        Ok(Self::Filled(parts))
    }

    /// The resource for one path; one allocation at most.
    pub(super) fn fill(&self, pattern: &Pattern, path: &str) -> Arc<str> {
        let parts = match self {
            Self::Fixed(text) => return Arc::clone(text),
            Self::Filled(parts) => parts,
        };
        let mut filled: SmallVec<[u8; 128]> = SmallVec::new();
        for part in parts {
            match part {
                Part::Text(text) => filled.extend_from_slice(text.as_bytes()),
                Part::Capture(nth) => {
                    filled.extend_from_slice(pattern.capture(*nth, path).as_bytes());
                }
            }
        }
        std::str::from_utf8(&filled).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_captures_and_refuses_unknown_ones() -> Result<(), String> {
        let pattern = Pattern::parse("/t/{tenant}/orders/{order}")?;
        let template = Template::parse("{tenant}:order:{order}", &pattern)?;
        assert_eq!(
            &*template.fill(&pattern, "/t/acme/orders/17"),
            "acme:order:17"
        );
        assert!(Template::parse("{other}", &pattern).is_err());
        assert!(Template::parse("{order", &pattern).is_err());
        Ok(())
    }
}
