//! The classes of accounts from a file: TOML (`[tenant]`, `subject = "class"`) or CSV (`tenant,subject,class`).

use crate::model::SubjectClass;
use std::collections::HashMap;

/// Every other account of a tenant.
const ALL: &str = "*";

/// What a file says. Names are in lower case: nobody evades a class by another spelling of an account.
#[derive(Debug, Default)]
pub(super) struct Classes {
    by_tenant: HashMap<String, HashMap<String, SubjectClass>>,
}

fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

fn class_of(word: &str) -> Result<SubjectClass, String> {
    SubjectClass::named(word).ok_or_else(|| format!("{word:?} is no class"))
}

impl Classes {
    pub(super) fn class(&self, tenant: &str, subject: &str) -> Option<SubjectClass> {
        let accounts = self.by_tenant.get(&key(tenant))?;
        let found = accounts.get(&key(subject));
        found.or_else(|| accounts.get(ALL)).copied()
    }

    /// Two classes for one account are a mistake: which of them is meant?
    fn put(&mut self, tenant: &str, subject: &str, class: SubjectClass) -> Result<(), String> {
        let (tenant, subject) = (key(tenant), key(subject));
        if tenant.is_empty() || subject.is_empty() {
            return Err("a tenant or a subject is empty".to_owned());
        }
        let accounts = self.by_tenant.entry(tenant).or_default();
        match accounts.insert(subject.clone(), class) {
            Some(before) if before != class => Err(format!(
                "{subject} is both {} and {}",
                before.as_str(),
                class.as_str()
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn from_toml(text: &str) -> Result<Self, String> {
        let tables: HashMap<String, HashMap<String, String>> =
            toml::from_str(text).map_err(|why| why.to_string())?;
        let mut classes = Self::default();
        for (tenant, accounts) in &tables {
            for (subject, word) in accounts {
                classes.put(tenant, subject, class_of(word)?)?;
            }
        }
        Ok(classes)
    }

    pub(super) fn from_csv(text: &str) -> Result<Self, String> {
        let mut classes = Self::default();
        for (nth, line) in text.lines().enumerate() {
            let fields = fields(line).ok_or_else(|| format!("line {}: an open quote", nth + 1))?;
            let [tenant, subject, word] = fields.as_slice() else {
                if line.trim().is_empty() || line.trim_start().starts_with('#') {
                    continue;
                }
                return Err(format!("line {}: not tenant,subject,class", nth + 1));
            };
            if nth == 0 && tenant == "tenant" && subject == "subject" {
                continue;
            }
            let put = class_of(word).and_then(|class| classes.put(tenant, subject, class));
            put.map_err(|why| format!("line {}: {why}", nth + 1))?;
        }
        Ok(classes)
    }
}

/// The fields of one line (RFC 4180, without line breaks in fields); `None`: a quote is left open.
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field).trim().to_owned()),
            other => field.push(other),
        }
    }
    fields.push(field.trim().to_owned());
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let toml = "[acme]\n\"kim@acme.example\" = \"vip\"\n\"*\" = \"regulated\"\n[globex]\n\"ann, the boss\" = \"admin\"\n";
        let csv = "tenant,subject,class\nacme,kim@acme.example,VIP\n# all others\nacme,*,regulated\n\nglobex,\"ann, the boss\",admin\n";
        for classes in [Classes::from_toml(toml), Classes::from_csv(csv)] {
            let classes = classes.unwrap_or_else(|why| panic!("{why}"));
            for (tenant, subject, class) in [
                ("acme", "kim@acme.example", Some(SubjectClass::Vip)),
                (" ACME", "Kim@Acme.example ", Some(SubjectClass::Vip)),
                ("acme", "lee@acme.example", Some(SubjectClass::Regulated)),
                ("globex", "Ann, the boss", Some(SubjectClass::Admin)),
                ("globex", "lee", None),
                ("other", "kim@acme.example", None),
            ] {
                assert_eq!(classes.class(tenant, subject), class, "{tenant} {subject}");
            }
        }
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        for bad in [
            "acme,kim,vpi",
            "acme,kim",
            "acme,kim,vip,more",
            "acme,\"kim,vip",
            ",kim,vip",
            "acme,kim,vip\nacme,KIM,admin",
        ] {
            assert!(Classes::from_csv(bad).is_err(), "{bad}");
        }
        for bad in [
            "[acme]\nkim = 1",
            "[acme]\nkim = \"vpi\"",
            "x",
            "kim = \"vip\"",
        ] {
            assert!(Classes::from_toml(bad).is_err(), "{bad}");
        }
        assert!(Classes::from_csv("acme,kim,vip\nacme,kim,vip").is_ok());
    }
}
