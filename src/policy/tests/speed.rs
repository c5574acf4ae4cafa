//! What one decision costs, printed: `cargo test --release policy::tests::speed -- --ignored --nocapture`.

use super::*;
use std::fmt::Write as _;
use std::time::Instant;

#[test]
#[ignore = "a measurement, not a check"]
fn two_hundred_rows() {
    let mut rows = String::new();
    for nth in 0..200 {
        let kind = ["orders", "customers", "invoices", "tickets"][nth % 4];
        let target = format!("GET /api/v{nth}/{kind}/{{id}}/items/{{item}}");
        let _ = write!(
            rows,
            "{}",
            row(
                &format!("r{nth}"),
                &target,
                "resource = \"item:{id}:{item}\""
            )
        );
    }
    rows += &row("deny", "POST /account/mfa/reset", "effect = \"deny\"");
    rows += &row("page", "GET /{*rest}", "action = \"pages.read\"");
    let policy = policy(&rows);
    for request in [
        "GET /api/v77/customers/4711/items/9",
        "GET /api/item.json",
        "GET /page.html",
        "POST /account/mfa/reset",
    ] {
        let query = ask(request);
        let example =
            super::super::example::Example::new(&query).unwrap_or_else(|why| panic!("{why}"));
        let (facts, grant) = (example.facts(), example.grant());
        let rounds = 300_000u32;
        let start = Instant::now();
        for _ in 0..rounds {
            let routed = std::hint::black_box(&policy).route(std::hint::black_box(&facts));
            std::hint::black_box(routed.decide(&grant, None));
        }
        println!("{request}: {:?}", start.elapsed() / rounds);
    }
}
