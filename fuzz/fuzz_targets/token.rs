//! Any text as an external grant: never taken, since nothing here is signed with the issuer's key.
//! Input: header and claims as JSON with a NUL between, or a whole token.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use locum::model::{Binding, Clock};
use locum::store::external::{Bearers, Issuer, Jwks, Settings, claims_to_be_grant};
use locum::store::{live, sqlite};
use std::sync::{Arc, LazyLock};

/// The public key of RFC 8037 Appendix A.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","alg":"EdDSA","use":"sig",
"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

struct Bench {
    bearers: Bearers,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    let keys = dir.path().join("keys.json");
    std::fs::write(&keys, KEYS).expect("a file");
    let database = sqlite::Settings {
        path: dir.path().join("locum.db"),
        ..sqlite::Settings::default()
    };
    let store = Arc::new(sqlite::Sqlite::open(&database).expect("a store"));
    let (live, _) =
        live::Live::open(store, Clock::System, live::Settings::default()).expect("a registry");
    let issuer = Issuer::new("https://issuer.example", "locum", Jwks::File(keys));
    let settings = Settings {
        issuers: vec![issuer],
        ..Settings::default()
    };
    let bearers = Bearers::new(settings, live).unwrap_or_else(|why| panic!("{why:?}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    Bench {
        bearers,
        runtime,
        _dir: dir,
    }
});

fuzz_target!(|input: &[u8]| {
    let token = match input.iter().position(|byte| *byte == 0) {
        Some(at) => {
            let (header, claims) = (&input[..at], &input[at + 1..]);
            let parts = [header, claims, &[7; 64]].map(|part| URL_SAFE_NO_PAD.encode(part));
            parts.join(".")
        }
        None => String::from_utf8_lossy(input).into_owned(),
    };
    let _ = claims_to_be_grant(&token);
    let bench = &*BENCH;
    let present = bench.bearers.present(&token, "shop", Binding::default());
    match bench.runtime.block_on(present) {
        Ok(_) => panic!("a token that nobody signed was taken"),
        Err(why) => assert!(!why.name().is_empty()),
    }
});
