//! From a record to its leaf: whose it is, and its hash.

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

    #[test]
    fn a_hash_is_bytes_only_in_its_one_spelling() {
        assert_eq!(entry(&[b'0'; 64]), Some([0; 32]));
        assert_eq!(entry(&[b'f'; 64]), Some([255; 32]));
        assert_eq!(entry(&[b'F'; 64]), None);
    }
}
