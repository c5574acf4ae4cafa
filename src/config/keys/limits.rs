//! `[limits]`: bounds on everything that a client or an app can make Locum hold or wait for.

use crate::config::schema::section;
use crate::config::units::{DAY, GIB, HOUR, KIB, MIB, MINUTE, Size, TIB};
use std::time::Duration;

section! {
    /// Bounds on everything that a client or an app can make Locum hold or wait for. Each has a
    /// metric of the same name that counts how often it was met.
    pub struct Limits {
        /// Client connections open at once. Beyond: new ones are closed as they come.
        max_connections: usize = 20_000 in [1, 10_000_000], "connections";
        /// The request line and header fields together. Beyond: 431.
        max_head_bytes: Size = "64KiB" in [4 * KIB, MIB];
        /// Header fields of a request. Beyond: 431.
        max_headers: usize = 100 in [8, 1000], "fields";
        /// The request target. Beyond: 414.
        max_uri_bytes: Size = "8KiB" in [256, 64 * KIB];
        /// A request's body. Beyond: 413, cut where the length was not announced. 0: unbounded;
        /// bodies stream, so memory does not grow with them. An app can set its own.
        max_request_body: Size = "0" in [0, 1024 * TIB];
        /// From accepting a connection to the end of the TLS handshake, a PROXY header included.
        handshake_timeout: Duration = "10s" in [100, 5 * MINUTE];
        /// From the first byte of a request to the end of its head. Beyond: 408.
        header_timeout: Duration = "10s" in [100, 5 * MINUTE];
        /// How long a connection is kept with no request on it. Over HTTP/2 up to twice as long.
        idle_timeout: Duration = "75s" in [100, DAY];
        /// How long a request's body may bring nothing. Beyond: 408, or a cut.
        request_body_idle_timeout: Duration = "30s" in [100, HOUR];
        /// How long a client may take nothing of what is ready for it. Beyond: the connection is cut.
        response_idle_timeout: Duration = "60s" in [100, DAY];
        /// Streams that a client may have open on one HTTP/2 connection.
        h2_max_concurrent_streams: u32 = 128 in [1, 10_000], "streams";
        /// Streams that a client reset and that are not yet cleaned up. Beyond: the connection ends
        /// (rapid reset, CVE-2023-44487).
        h2_max_pending_resets: usize = 20 in [1, 10_000], "streams";
        /// Streams that Locum reset for a client's errors on one connection. Beyond: the connection
        /// ends (CVE-2025-8671).
        h2_max_local_resets: usize = 256 in [1, 10_000], "streams";
        /// HTTP/2 flow control window of one stream.
        h2_stream_window: Size = "256KiB" in [65_535, 16 * MIB];
        /// HTTP/2 flow control window of one connection.
        h2_connection_window: Size = "1MiB" in [65_535, 64 * MIB];
        /// What is buffered for one HTTP/2 stream that the client does not read.
        h2_send_buffer: Size = "256KiB" in [16 * KIB, 16 * MIB];
        /// `WebSocket` connections open at once. Beyond: 503.
        max_websockets: usize = 10_000 in [1, 10_000_000], "connections";
        /// One WebSocket message where policy looks into messages. Beyond: close code 1009.
        max_websocket_message: Size = "1MiB" in [125, GIB];
        /// The status line and header fields of an app's response. Beyond: 502.
        max_response_head_bytes: Size = "128KiB" in [4 * KIB, 4 * MIB];
        /// Header fields of an app's response. Beyond: 502.
        max_response_headers: usize = 100 in [8, 1000], "fields";
        /// Bytes of an app's response read at once, where a large one streams. More costs memory for each response
        /// under way, less costs time.
        response_read_buffer: Size = "256KiB" in [16 * KIB, 16 * MIB];
        /// Chunk extensions of one request body, all chunks together. Beyond: 400.
        max_chunk_extension_bytes: Size = "4KiB" in [0, 64 * KIB];
        /// What one HTML document may decompress to on its way through the banner. Beyond: a cut.
        max_html_bytes: Size = "256MiB" in [MIB, TIB];
        /// How many times its compressed length an HTML document may decompress to, once it is
        /// beyond 1 MiB. Beyond: a cut.
        max_html_ratio: u32 = 1000 in [2, 1_000_000], "times";
        /// One tag or comment in the head of an HTML document, which is held in memory. Beyond: a cut.
        max_html_token_bytes: Size = "1MiB" in [16 * KIB, 64 * MIB];
        /// Live sessions. Beyond: no session starts.
        max_sessions: usize = 100_000 in [1, 10_000_000], "sessions";
        /// Cookies of apps that are kept for one session; the oldest go first.
        max_jar_cookies: usize = 200 in [1, 10_000], "cookies";
        /// Name and value of one cookie of an app that is kept. Beyond: that cookie is not kept.
        max_jar_cookie_bytes: Size = "4KiB" in [256, 64 * KIB];
        /// After SIGTERM, how long open exchanges may take to end before they are cut.
        drain_timeout: Duration = "30s" in [0, HOUR];
        /// What policy holds of request bodies to judge them by, all requests together. Beyond: 503.
        max_policy_buffers: Size = "64MiB" in [64 * KIB, TIB];
        /// How often the banner's stream of events says something when there is nothing to say.
        events_keep_alive: Duration = "15s" in [100, 5 * MINUTE];
        /// How long a browser may take from one of a session's origins to the next as a session starts. Beyond: 401.
        handoff_timeout: Duration = "30s" in [100, 5 * MINUTE];
        /// Ways from one of a session's origins to the next that are open at once. Beyond: the browser
        /// goes to the app without them.
        max_handoffs: usize = 16 in [1, 1000], "a session";
        /// A signed grant that is exchanged for a browser's session, with what it is wrapped in. Beyond: 413.
        max_grant_form: Size = "16KiB" in [KIB, MIB];
        /// How often this proxy's own name may stand in a request's `Via`. Beyond: 508, since it goes in a circle.
        max_via_passes: usize = 4 in [1, 100], "times";
        /// Addresses whose failed tries are remembered. Beyond: all are forgotten.
        max_attempt_addresses: usize = 10_000 in [1, 10_000_000], "addresses";
        /// Tries to start a session or to show an invalid bearer token from one address within a
        /// minute. Beyond: 429.
        max_sign_in_attempts: u32 = 60 in [1, 1_000_000], "tries a minute";
    }
}
