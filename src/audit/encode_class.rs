//! What each OCSF class wants of an event beside the base: <https://schema.ocsf.io/1.6.0>.

use super::encode::{Encoder, ip};
use super::encode_event::{Draft, Value, event_uid};
use super::escape;
use super::part::SessionPart;

const NOBODY: &[u8] = b"\"user\":{\"name\":\"unknown\",\"type_id\":0}";

impl Encoder {
    pub(super) fn class_members(&self, out: &mut Vec<u8>, draft: &Draft<'_>) {
        if draft.class.uid != 2004 {
            let failed = [".refused", ".failed"]
                .iter()
                .any(|end| draft.code.ends_with(end));
            out.extend_from_slice(if failed {
                b"\"status_id\":2,"
            } else {
                b"\"status_id\":1,"
            });
        }
        match draft.class.uid {
            2004 => return self.finding(out, draft),
            // Its actor would be the host's.
            6002 => {
                out.extend_from_slice(b"\"app\":{\"name\":\"Locum\",\"vendor_name\":\"Locum\"},");
                return;
            }
            _ => {}
        }
        let has_actor = draft.session.is_some() || draft.actor.is_some();
        if has_actor || draft.class.uid == 6003 {
            out.extend_from_slice(b"\"actor\":{");
            self.user(out, draft);
            out.extend_from_slice(b"},");
        }
        match draft.class.uid {
            // `user` is who signs in, or who gets the privileges: the operator, as in `actor`.
            3002 => {
                self.user(out, draft);
                out.push(b',');
                let service = draft.session.map(SessionPart::service);
                out.extend_from_slice(service.unwrap_or(b"\"service\":{\"name\":\"Locum\"},"));
            }
            3003 => {
                self.user(out, draft);
                out.extend_from_slice(b",\"privileges\":");
                self.privileges(out, draft);
                out.push(b',');
            }
            _ => {
                out.extend_from_slice(b"\"api\":{\"operation\":");
                escape::string(out, draft.code.as_bytes(), self.max_field);
                out.extend_from_slice(b",\"service\":{\"name\":\"Locum\"}},");
                if draft.client.is_none() {
                    out.extend_from_slice(b"\"src_endpoint\":{\"name\":\"locum\"},");
                }
            }
        }
        if draft.client.is_some() {
            client(out, draft);
            out.push(b',');
        }
    }

    /// A finding says who and from where in its evidences.
    fn finding(&self, out: &mut Vec<u8>, draft: &Draft<'_>) {
        out.extend_from_slice(b"\"is_alert\":true,\"status_id\":1,\"finding_info\":{\"title\":");
        let title = draft.fields.iter().find_map(|(name, value)| match value {
            Value::Text(text) if *name == "kind" => Some(*text),
            _ => None,
        });
        escape::string(out, title.unwrap_or(draft.code).as_bytes(), self.max_field);
        out.extend_from_slice(b",\"uid\":\"");
        event_uid(out);
        out.extend_from_slice(b"\"},");
        let has_actor = draft.session.is_some() || draft.actor.is_some();
        if !has_actor && draft.client.is_none() {
            return;
        }
        out.extend_from_slice(b"\"evidences\":[{");
        if has_actor {
            out.extend_from_slice(b"\"actor\":{");
            self.user(out, draft);
            out.push(b'}');
        }
        if has_actor && draft.client.is_some() {
            out.push(b',');
        }
        client(out, draft);
        out.extend_from_slice(b"}],");
    }

    /// `"user":{…}`: the session's operator, or who acted.
    fn user(&self, out: &mut Vec<u8>, draft: &Draft<'_>) {
        let of_session = draft
            .session
            .and_then(|s| s.actor().strip_prefix(b"\"actor\":{"))
            .and_then(|s| s.strip_suffix(b"},"));
        match (of_session, draft.actor) {
            (Some(user), _) => out.extend_from_slice(user),
            (None, Some(actor)) => {
                out.extend_from_slice(b"\"user\":{\"uid\":");
                escape::string(out, actor.as_bytes(), self.max_field);
                // 3 is a system's own.
                let kind: &[u8] = if actor == "locum" { b"3" } else { b"1" };
                out.extend_from_slice(b",\"type_id\":");
                out.extend_from_slice(kind);
                out.push(b'}');
            }
            (None, None) => out.extend_from_slice(NOBODY),
        }
    }

    fn privileges(&self, out: &mut Vec<u8>, draft: &Draft<'_>) {
        if let Some(session) = draft.session {
            out.extend_from_slice(session.scopes());
            return;
        }
        out.push(b'[');
        for (at, word) in draft.privileges.split_whitespace().take(64).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            escape::string(out, word.as_bytes(), self.max_field);
        }
        out.push(b']');
    }
}

/// `"src_endpoint":{…}`, where the client is known.
fn client(out: &mut Vec<u8>, draft: &Draft<'_>) {
    if let Some(client) = draft.client {
        out.extend_from_slice(b"\"src_endpoint\":{\"ip\":\"");
        ip(out, client);
        out.extend_from_slice(b"\"}");
    }
}
