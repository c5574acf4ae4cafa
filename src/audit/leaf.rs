//! From a record to its leaf: whose it is, and its hash.

use crate::audit::walk::Walk;
use serde_json::Value;
use std::borrow::Cow;

#[derive(serde::Deserialize)]
struct Light<'a> {
    #[serde(borrow)]
    locum: LightLocum<'a>,
}

#[derive(serde::Deserialize)]
struct LightLocum<'a> {
    #[serde(borrow)]
    tenant: Option<LightTenant<'a>>,
    #[serde(borrow)]
    tenant_id: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
struct LightTenant<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
}

/// The tenant that a record is about: `locum.tenant.uid`, or else `locum.tenant_id`.
pub(in crate::audit) fn tenant_of(line: &[u8]) -> Option<Cow<'_, str>> {
    match plainly(line) {
        Some(Told(tenant)) => tenant.map(Cow::Borrowed),
        None => parsed(line),
    }
}

/// A record's tenant, if it has one.
#[derive(Debug, PartialEq, Eq)]
struct Told<'a>(Option<&'a str>);

/// The same of a record as we write it, at a fraction of the cost. `None`: only a parser can tell.
fn plainly(line: &[u8]) -> Option<Told<'_>> {
    let mut walk = Walk::new(line);
    // Each at most once: what a second one means is for the parser to say.
    let (mut locum, mut tenant, mut id) = (None, None, None);
    walk.members(|walk, key| match key {
        b"locum" => {
            let within = walk.members(|walk, key| match key {
                b"tenant" => once(&mut tenant, uid(walk)?),
                b"tenant_id" => once(&mut id, walk.text()?),
                _ => walk.skip(),
            });
            once(&mut locum, within?)
        }
        _ => walk.skip(),
    })?;
    walk.is_done().then(|| Told(tenant.or(id)))
}

fn uid<'a>(walk: &mut Walk<'a>) -> Option<&'a str> {
    let mut uid = None;
    walk.members(|walk, key| match key {
        b"uid" => once(&mut uid, walk.text()?),
        _ => walk.skip(),
    })?;
    uid
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// The same of any line.
fn parsed(line: &[u8]) -> Option<Cow<'_, str>> {
    if let Ok(Light { locum }) = serde_json::from_slice(line) {
        return locum.tenant.map(|tenant| tenant.uid).or(locum.tenant_id);
    }
    // A member that is there twice or is of another kind: as JSON readers commonly take it.
    let value: Value = serde_json::from_slice(line).ok()?;
    let locum = value.get("locum")?;
    let uid = locum
        .get("tenant")
        .and_then(|tenant| tenant.get("uid"))
        .and_then(Value::as_str);
    let id = uid.or_else(|| locum.get("tenant_id")?.as_str())?;
    Some(Cow::Owned(id.to_owned()))
}

/// A record's hash in bytes; `None` if it is not 64 lower-case hexadecimal digits.
pub(in crate::audit) fn entry(hash: &[u8; 64]) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut entry = [0; 32];
    let (pairs, _) = hash.as_chunks::<2>();
    for (byte, [high, low]) in entry.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    #[test]
    fn a_record_s_tenant_is_found_in_either_place() {
        let of = |line: &str| tenant_of(line.as_bytes()).map(Cow::into_owned);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            of(r#"{"locum":{"tenant":{"uid":"acme","name":"A"},"x":1}}"#),
            some("acme")
        );
        assert_eq!(
            of(r#"{"locum":{"by":"x","tenant_id":"ac\"me"}}"#),
            some("ac\"me")
        );
        assert_eq!(
            of(r#"{"locum":{"tenant_id":"a","tenant_id":"b"}}"#),
            some("b")
        );
        assert_eq!(
            of(r#"{"locum":{"tenant":"odd","tenant_id":"b"}}"#),
            some("b")
        );
        assert_eq!(of(r#"{"locum":{}}"#), None);
        assert_eq!(of("{}"), None);
    }

    /// Members as they stand in records, and as nobody writes them.
    const MEMBERS: [&str; 18] = [
        r#""time":1795367480703"#,
        r#""locum":{"session":"s1","tenant":{"uid":"acme"},"ticket":"S"}"#,
        r#""locum":{"tenant_id":"other","by":"x"}"#,
        r#""locum":{"tenant":{"uid":"a","name":"A","uid":"b"}}"#,
        r#""locum":{"tenant":null,"tenant_id":"t"}"#,
        r#""locum":{"tenant":["acme"],"tenant_id":null}"#,
        r#""locum":["acme"]"#,
        r#""locum":{"tenant":{"name":"x"},"tenant_id":7}"#,
        r#""locum":{}"#,
        r#""lo\u0063um":{"tenant_id":"hidden"}"#,
        r#""a":"\"tenant\":{\"uid\":\"no\"}","b":"\u00e9\n""#,
        r#""a":{"locum":{"tenant_id":"inner"}},"é":[]"#,
        r#""a":[1,-2,{"b":[[],{}]},true,false,null,"c"]"#,
        r#""a":0.5,"b":1e3"#,
        r#""tenant":{"uid":"outside"},"tenant_id":"outside""#,
        r#""locum":{"tenant":{"uid":"é\t"}}"#,
        r#" "locum" : {"tenant_id":"spaced"}"#,
        r#""seq":7,"prev":"00","hash":"11""#,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        /// Whatever stands in a line, and whichever of its bytes somebody changed.
        #[test]
        fn what_is_told_plainly_is_what_a_parser_tells(
            members in vec(select(&MEMBERS[..]), 0..5),
            changes in vec((any::<Index>(), select(&b"\"\\{}[],:0-.e \x00\x1f\x7f\xc3\xffnu"[..]), 0..3), 0..4),
        ) {
            let mut line = format!("{{{}}}", members.join(",")).into_bytes();
            for (at, byte, how) in changes {
                let at = at.index(line.len());
                match how {
                    0 => line[at] = byte,
                    1 => line.insert(at, byte),
                    _ if line.len() > 1 => drop(line.remove(at)),
                    _ => {}
                }
            }
            let told = plainly(&line);
            let shown = String::from_utf8_lossy(&line);
            prop_assert!(told.as_ref().is_none_or(|told| told.0 == parsed(&line).as_deref()), "{shown}: {told:?}");
        }

        /// Depth, numbers, and texts of any length beside what is looked for.
        #[test]
        fn any_value_is_passed_over(texts in vec(".{0,40}", 1..4), number in any::<i64>(), depth in 0_usize..150) {
            let nested = format!("{}{number}{}", "[".repeat(depth), "]".repeat(depth));
            let texts = serde_json::to_string(&texts).expect("JSON");
            let line = format!(r#"{{"a":{nested},"b":{texts},"locum":{{"c":{texts},"tenant":{{"uid":"acme"}}}}}}"#);
            let told = plainly(line.as_bytes());
            prop_assert!(told == Some(Told(Some("acme"))) || (depth > 60 && told.is_none()), "{line}: {told:?}");
            let either = tenant_of(line.as_bytes());
            prop_assert_eq!(either.as_deref(), Some("acme"));
        }
    }

    #[test]
    fn a_hash_is_bytes_only_in_its_one_spelling() {
        assert_eq!(entry(&[b'0'; 64]), Some([0; 32]));
        assert_eq!(entry(&[b'f'; 64]), Some([255; 32]));
        assert_eq!(entry(&[b'F'; 64]), None);
    }
}
