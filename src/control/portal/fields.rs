//! What a form or a query string carries: names and values in order, a name as often as it was sent.

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn read(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of that name, trimmed; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        let first = self.0.iter().find(|(known, _)| known == name);
        first.map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// The value of that name, unless it is empty.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = self.0.iter().filter(move |(known, _)| known == name);
        same.map(|(_, value)| value.trim())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_come_more_than_once_and_values_are_trimmed() {
        let fields = Fields::read(b"scopes=view&scopes=orders&reason=+Cannot+pay%21+&empty=");
        assert_eq!(fields.all("scopes").collect::<Vec<_>>(), ["view", "orders"]);
        assert_eq!(fields.get("reason"), "Cannot pay!");
        assert_eq!(fields.given("empty"), None);
        assert!(fields.has("empty") && !fields.has("other"));
        assert_eq!(fields.get("other"), "");
    }
}
