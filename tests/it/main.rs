//! End to end, on real sockets.

mod http11probe;
