//! Workloads: by X.509-SVID or by a JWT of a configured issuer; registered, not lapsed, and noted with where they call from.

use super::claims::{Claims, not_nested, required, timely};
use super::front::Identity;
use super::refused::Refused;
use super::svid;
use crate::control::gate::Peer;
use crate::control::refusal::Refusal;
use crate::model::{Caller, Method, OperatorKind, Proof, Timestamp, Workload};
use crate::store::external::{BearerRefused, claimed_issuer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A workload, proved: its id in the inventory, and how.
pub(super) struct Shown {
    id: String,
    method: Method,
    at: Timestamp,
}

impl Identity {
    /// The workload of a client certificate that the listener verified.
    pub(super) async fn certified(&self, der: &[u8], peer: &Peer) -> Result<Caller, Refusal> {
        let (made, now, address) = (self.made(), self.now(), peer.address.ip());
        match svid::spiffe_id(der, &made.settings.workloads.trust_domains, now) {
            Ok(id) => {
                let shown = Shown {
                    id,
                    method: Method::Mtls,
                    at: now,
                };
                self.workload(shown, peer).await
            }
            Err(why) => {
                self.may_try(address)?;
                Err(self.refuse(Refused::Svid(why), "svid", address, None).await)
            }
        }
    }

    /// The workload of a JWT.
    pub(super) async fn workload_token(&self, token: &str) -> Result<Shown, Refused> {
        let (made, now) = (self.made(), self.now());
        let issuer = claimed_issuer(token, made.settings.max_token_bytes)?;
        let at = made
            .workloads
            .iter()
            .position(|signer| issuer.as_deref() == Some(signer.issuer()));
        let found = at.and_then(|at| {
            let settings = made.settings.workloads.issuers.get(at)?;
            Some((made.workloads.get(at)?, settings))
        });
        let Some((signer, settings)) = found else {
            return Err(BearerRefused::UnknownIssuer.into());
        };
        let claims: Claims = signer.verify(token).await?;
        if !signer.is_audience(&claims) {
            return Err(Refused::claim("aud", "does not name this Locum"));
        }
        timely(&claims, now, settings.leeway, settings.max_lifetime)?;
        not_nested(&claims)?;
        Ok(Shown {
            id: format!("{}|{}", signer.issuer(), required(&claims, "sub")?),
            method: Method::Jwt,
            at: super::claims::time(&claims, "iat")?.unwrap_or(now),
        })
    }

    /// Lets a workload call, if the inventory says so; notes where it calls from.
    pub(super) async fn workload(&self, shown: Shown, peer: &Peer) -> Result<Caller, Refusal> {
        let (now, address, id) = (self.now(), peer.address.ip(), shown.id.clone());
        let found = self
            .control
            .run(
                "reading a workload",
                move |tx| Ok(tx.find::<Workload>(&id)?),
            )
            .await?;
        let lapsed = match &found {
            None => Some("workload.unregistered"),
            Some(workload) => workload.lapsed(now),
        };
        if let Some(reason) = lapsed {
            self.may_try(address)?;
            let refusal = Refusal::forbidden(
                reason,
                "This workload is not registered, or its registration has ended: its owner must renew it.",
            );
            let known = Some((shown.id.as_str(), shown.id.as_str()));
            return Err(self
                .refuse(Refused::Other(refusal), "workload", address, known)
                .await);
        }
        self.control
            .workload_used(&shown.id, &network(address))
            .await?;
        Ok(Caller {
            person: shown.id.clone(),
            account: shown.id,
            name: found.map(|workload| workload.system),
            kind: OperatorKind::Workload,
            groups: Vec::new(),
            seats: Vec::new(),
            proof: Proof {
                method: shown.method,
                at: shown.at,
                acr: None,
                amr: Vec::new(),
            },
        })
    }
}

/// The place that an address is in: what one site has of IPv4, what one site is given of IPv6 (RFC 6177).
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let bits = four.to_bits() & 0xffff_ff00;
            format!("{}/24", Ipv4Addr::from_bits(bits))
        }
        IpAddr::V6(six) => {
            let bits = six.to_bits() & (u128::MAX << 80);
            format!("{}/48", Ipv6Addr::from_bits(bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_networks() -> Result<(), std::net::AddrParseError> {
        for (address, wanted) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ] {
            assert_eq!(network(address.parse()?), wanted);
        }
        Ok(())
    }
}
