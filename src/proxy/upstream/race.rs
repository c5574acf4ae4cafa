//! One name with several addresses: both families are tried, and none that hangs keeps the others waiting (RFC 8305).

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// From the beginning of one attempt to that of the next (RFC 8305 §5, "Connection Attempt Delay").
const DELAY: Duration = Duration::from_millis(250);

/// At most `most` of the addresses, the families in turns, beginning with that of the first one (RFC 8305 §4).
pub(super) fn in_turns(
    found: impl IntoIterator<Item = SocketAddr>,
    most: usize,
) -> VecDeque<SocketAddr> {
    let (mut mine, mut others) = (VecDeque::new(), VecDeque::new());
    let mut is_six = None;
    for address in found {
        if *is_six.get_or_insert(address.is_ipv6()) == address.is_ipv6() {
            mine.push_back(address);
        } else {
            others.push_back(address);
        }
    }
    let mut turns = VecDeque::new();
    while turns.len() < most && !(mine.is_empty() && others.is_empty()) {
        turns.extend(mine.pop_front());
        turns.extend(others.pop_front());
    }
    turns.truncate(most);
    turns
}

/// The first connection that is there. The next address is tried after [`DELAY`], or as soon as one has failed.
pub(super) async fn connect(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    let mut trying = FuturesUnordered::new();
    let mut last = None;
    loop {
        trying.extend(addresses.pop_front().map(TcpStream::connect));
        tokio::select! {
            tried = trying.next() => match tried {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = Some(error),
                None => {
                    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                    return Err(last.unwrap_or_else(none));
                }
            },
            () = tokio::time::sleep(DELAY), if !addresses.is_empty() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, SockAddr, Socket, Type};
    use std::net::TcpListener;

    fn addresses(texts: &[&str]) -> Result<Vec<SocketAddr>, std::net::AddrParseError> {
        texts.iter().map(|text| text.parse()).collect()
    }

    #[test]
    fn families_take_turns() -> Result<(), std::net::AddrParseError> {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"])?;
        let turns = addresses(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"])?;
        assert_eq!(in_turns(found.clone(), 9), turns);
        assert_eq!(in_turns(found, 3), turns.get(..3).unwrap_or_default());
        let only = addresses(&["10.0.0.1:1", "10.0.0.2:1"])?;
        assert_eq!(in_turns(only.clone(), 9), only);
        Ok(())
    }

    /// A port whose queue is full: who connects hears nothing for minutes.
    fn silent() -> io::Result<(Socket, Vec<Socket>, SocketAddr)> {
        let new = || Socket::new(Domain::IPV4, Type::STREAM, None);
        let listening = new()?;
        listening.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0))))?;
        listening.listen(0)?;
        let address = listening.local_addr()?;
        let mut queued = Vec::new();
        for _ in 0..8 {
            let socket = new()?;
            socket.set_nonblocking(true)?;
            let _ = socket.connect(&address);
            queued.push(socket);
        }
        let address = address.as_socket().ok_or(io::ErrorKind::NotFound)?;
        Ok((listening, queued, address))
    }

    #[tokio::test]
    async fn one_that_hangs_or_refuses_keeps_nobody_waiting() -> io::Result<()> {
        let open = TcpListener::bind("127.0.0.1:0")?;
        let refusing = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let (_listening, _queued, silent) = silent()?;
        let all = VecDeque::from([silent, refusing, open.local_addr()?]);
        let patience = Duration::from_secs(20);
        let found = tokio::time::timeout(patience, connect(all)).await??;
        assert_eq!(found.peer_addr()?, open.local_addr()?);
        let refused = connect(VecDeque::from([refusing])).await;
        assert_eq!(
            refused.err().map(|error| error.kind()),
            Some(io::ErrorKind::ConnectionRefused)
        );
        assert!(connect(VecDeque::new()).await.is_err());
        Ok(())
    }
}
