//! What the built-in pack catches and what it leaves alone.

use super::*;

fn hit(request: &str) -> Vec<&'static str> {
    let pack = Pack::shipped().unwrap_or_else(|why| panic!("{why}"));
    let (method, target) = request.split_once(' ').unwrap_or_default();
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(p, q)| (p, Some(q)));
    let deed = match method {
        "GET" | "HEAD" => Deed::Safe,
        "DELETE" => Deed::Delete,
        _ => Deed::Unsafe,
    };
    let rows = pack.path(path, query, deed);
    let hits = pack
        .rows
        .iter()
        .enumerate()
        .filter(|(nth, _)| rows & (1 << nth) != 0);
    hits.map(|(_, row)| &*row.id).collect()
}

#[test]
fn takeover_is_caught_in_common_shapes() {
    for (request, row) in [
        ("POST /account/mfa/reset", "pack.mfa-reset"),
        ("DELETE /api/v1/users/7/two-factor", "pack.mfa-reset"),
        ("POST /Account/ResetMFA", "pack.mfa-reset"),
        ("PUT /settings/2FA", "pack.mfa-reset"),
        ("POST /auth/webAuthn/register", "pack.mfa-reset"),
        ("POST /users/me/backup_codes", "pack.mfa-reset"),
        ("POST /account/recovery", "pack.mfa-reset"),
        ("GET /account/mfa/qr.json", "pack.mfa-view"),
        ("GET /me/recovery-codes", "pack.mfa-view"),
        ("POST /account/password", "pack.password"),
        ("PATCH /api/change-password", "pack.password"),
        ("POST /forgotPassword", "pack.password"),
        ("POST /account/email", "pack.email"),
        ("PUT /users/3/e-mail", "pack.email"),
        ("POST /email/change", "pack.email"),
        ("POST /account/tokens", "pack.api-token"),
        ("POST /developer/api-keys", "pack.api-token"),
        ("POST /api/personalAccessTokens", "pack.api-token"),
        ("POST /settings/ssh/keys", "pack.api-token"),
        ("GET /export", "pack.export"),
        ("GET /export.csv", "pack.export"),
        ("GET /reports/orders/Export", "pack.export"),
        ("POST /privacy/download-my-data", "pack.export"),
        ("GET /account/data/download", "pack.export"),
        ("POST /payouts", "pack.payout"),
        ("PUT /billing/payment-methods/1", "pack.payout"),
        ("POST /billing/cards", "pack.payout"),
        ("POST /seller/bank_account", "pack.payout"),
        ("POST /account/delete", "pack.account-deletion"),
        ("DELETE /api/me", "pack.account-deletion"),
        ("DELETE /users/17", "pack.account-deletion"),
        ("POST /users/17/deactivate", "pack.account-deletion"),
        ("POST /close-account", "pack.account-deletion"),
        ("GET /admin/impersonate/5", "pack.impersonation"),
        ("POST /admin/users/5/login-as", "pack.impersonation"),
        ("GET /orders?_switch_user=kim", "pack.impersonation"),
    ] {
        assert!(hit(request).contains(&row), "{request}: {:?}", hit(request));
    }
}

#[test]
fn a_suffix_makes_no_asset_of_a_denied_path() {
    for (request, row) in [
        ("GET /export.js", "pack.export"),
        ("GET /account/export.css", "pack.export"),
        ("GET /account/export/x.css", "pack.export"),
        ("GET /account/export/static/x.css", "pack.export"),
        ("GET /static/export/x.css", "pack.export"),
        ("GET /account/export;x.css", "pack.export"),
        ("GET /static/export.js/", "pack.export"),
        ("HEAD /account/mfa/qr.svg", "pack.mfa-view"),
        ("GET /account/mfa/qr.png", "pack.mfa-view"),
        ("GET /me/recovery-codes/a.js", "pack.mfa-view"),
        ("GET /admin/impersonate/5/a.png", "pack.impersonation"),
        ("GET /impersonate.png", "pack.impersonation"),
        ("GET /static/a.png?_switch_user=kim", "pack.impersonation"),
        ("POST /static/js/export.js", "pack.export"),
    ] {
        assert!(hit(request).contains(&row), "{request}: {:?}", hit(request));
    }
}

#[test]
fn files_that_pages_are_drawn_with_are_left_alone() {
    for request in [
        "GET /static/js/export.js",
        "GET /assets/ExportDialog-3f2a91.js",
        "HEAD /assets/ExportDialog-3f2a91.js.map",
        "GET /_next/static/chunks/pages/mfa-71c4.js",
        "GET /red/images/export.svg",
        "GET /packs/css/two-factor.CSS",
    ] {
        assert!(hit(request).is_empty(), "{request}: {:?}", hit(request));
    }
}

#[test]
fn everyday_routes_are_left_alone() {
    for request in [
        "GET /",
        "GET /orders/17",
        "POST /orders/17/note",
        "POST /orders/17/address",
        "GET /account/password",
        "GET /profile",
        "POST /profile",
        "GET /static/js/export.js",
        "GET /img/mfa-logo.svg",
        "POST /newsletter/email",
        "POST /orders/17/email-receipt",
        "POST /settings/notifications/email",
        "POST /auth/token/refresh",
        "POST /api/csrf-token",
        "POST /password/strength",
        "DELETE /orders/3/notes/4",
        "POST /account/addresses/3/delete",
        "DELETE /users/5/notes/3",
        "GET /information",
        "GET /become-a-partner",
        "POST /upload",
        "GET /download/1000",
        "POST /graphql",
        "POST /login",
        "POST /logout",
        "GET /dashboard/cards",
        "PATCH /api/orders/9",
    ] {
        assert!(hit(request).is_empty(), "{request}: {:?}", hit(request));
    }
}

#[test]
fn graphql_fields_are_words_too() {
    let pack = Pack::shipped().unwrap_or_else(|why| panic!("{why}"));
    for (field, caught) in [
        ("resetMfa", true),
        ("changeEmail", true),
        ("createApiToken", true),
        ("deleteAccount", true),
        ("updateOrder", false),
        ("login", false),
    ] {
        assert_eq!(pack.field(field, Deed::Unsafe) != 0, caught, "{field}");
    }
    assert_ne!(pack.field("exportOrders", Deed::Safe), 0);
    assert_eq!(pack.field("orders", Deed::Safe), 0);
}

#[test]
fn every_listed_word_can_be_found() {
    let pack = Pack::shipped().unwrap_or_else(|why| panic!("{why}"));
    for word in pack.words.keys() {
        assert!(word.len() <= super::super::words::MAX_WORD);
        let mut found = false;
        each_word(word, |seen| found |= *seen == **word);
        assert!(found, "{}", String::from_utf8_lossy(word));
    }
}
