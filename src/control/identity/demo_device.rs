//! Signing in a command line as a demo persona: the two codes of RFC 8628, without a provider. Only where personas are.

use super::derive::digest;
use super::front::Identity;
use super::logins::Proven;
use super::oidc::{DeviceBegun, Polled};
use super::person::Identified;
use super::refused::Refused;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Secret, SecretHash, Timestamp};
use crate::store::control::{Login, LoginKind, Tx};
use crate::telemetry::metrics::Limit;
use std::time::Duration;

/// RFC 8628 §6.1: letters that make no words and are not mistaken for each other.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);

/// What is kept under either code.
#[derive(serde::Serialize, serde::Deserialize)]
enum Kept {
    /// Under the device code: nobody answered yet, or who did.
    Device(Option<Identified>),
    /// Under the user code: the hash of the device code.
    User([u8; 32]),
}

impl Identity {
    /// Two new codes.
    pub(super) async fn begin_demo_device(&self) -> Result<DeviceBegun, Refused> {
        let made = self.made();
        let (now, age, max) = (self.now(), made.settings.flow_max, made.settings.max_flows);
        let (device, user) = (Secret::fresh().map_err(Refusal::from)?, user_code()?);
        let rows = [
            row(device.hash(), &Kept::Device(None), now, age),
            row(
                by_user(&user),
                &Kept::User(*device.hash().as_bytes()),
                now,
                age,
            ),
        ];
        let full = self
            .control
            .run("beginning to sign in a command line", move |tx| {
                if tx.count_logins(LoginKind::Device, max, now)? >= max {
                    return Ok(true);
                }
                for row in &rows {
                    tx.drop_login(row.hash)?;
                    tx.put_login(row)?;
                }
                Ok(false)
            })
            .await?;
        if full {
            self.metrics.hit(Limit::Flows);
            let detail = "Too many sign-ins are under way. Try again in a few minutes.";
            return Err(Refusal::new(Kind::Unavailable, "login.flows", detail).into());
        }
        let page = format!("{}/login/device", made.settings.portal);
        Ok(DeviceBegun {
            device_code: device.reveal(),
            verification_uri_complete: Some(format!("{page}?code={user}")),
            verification_uri: page,
            user_code: user,
            interval: INTERVAL,
            expires_in: age,
        })
    }

    /// The person chose whom to be, for the command line that shows this code.
    pub(super) async fn answer_demo_device(
        &self,
        user: &str,
        who: Identified,
    ) -> Result<(), Refused> {
        let (now, user) = (self.now(), user.trim().to_uppercase());
        let answered = self
            .control
            .run("signing in a command line", move |tx| {
                let hash = by_user(&user);
                let Some((Kept::User(device), _)) = kept(tx, hash, now)? else {
                    return Ok(false);
                };
                let device = SecretHash::from_bytes(device);
                let Some((Kept::Device(None), until)) = kept(tx, device, now)? else {
                    return Ok(false);
                };
                tx.drop_login(hash)?;
                tx.drop_login(device)?;
                tx.put_login(&row(
                    device,
                    &Kept::Device(Some(who)),
                    now,
                    now.until(until),
                ))?;
                Ok(true)
            })
            .await?;
        if answered { Ok(()) } else { Err(Refused::Flow) }
    }

    /// A look by the command line.
    pub(super) async fn poll_demo_device(&self, device: &str) -> Result<Polled, Refused> {
        let hash = Secret::parse(device).ok_or(Refused::Flow)?.hash();
        let now = self.now();
        let found = self
            .control
            .run("looking at a command line's sign-in", move |tx| {
                let found = kept(tx, hash, now)?;
                if matches!(found, Some((Kept::Device(Some(_)), _))) {
                    tx.drop_login(hash)?;
                }
                Ok(found)
            })
            .await?;
        Ok(match found {
            Some((Kept::Device(Some(who)), _)) => Polled::Done(Box::new(Proven {
                who,
                sid: String::new(),
                code: "login.in",
            })),
            Some((Kept::Device(None), _)) => Polled::Waiting(INTERVAL),
            _ => Polled::Expired,
        })
    }
}

fn row(hash: SecretHash, kept: &Kept, now: Timestamp, age: Duration) -> Login {
    Login {
        hash,
        kind: LoginKind::Device,
        person: String::new(),
        account: String::new(),
        sid: String::new(),
        expires_at: now.plus(age),
        last_used: now,
        body: serde_json::to_string(kept).unwrap_or_default(),
    }
}

fn kept(
    tx: &Tx<'_>,
    hash: SecretHash,
    now: Timestamp,
) -> Result<Option<(Kept, Timestamp)>, Refusal> {
    let found = tx.login(hash, LoginKind::Device, now)?;
    Ok(found.and_then(|it| Some((serde_json::from_str(&it.body).ok()?, it.expires_at))))
}

fn by_user(code: &str) -> SecretHash {
    digest(&["user code", code])
}

/// `BCDF-GHJK`: 34 bits, good for minutes, on loopback.
fn user_code() -> Result<String, Refusal> {
    let mut text = String::new();
    while text.len() < 9 {
        if text.len() == 4 {
            text.push('-');
        }
        let mut byte = [0u8];
        aws_lc_rs::rand::fill(&mut byte)?;
        // Of 256 values 240 fall evenly on 20 letters.
        let [byte] = byte;
        let letter = LETTERS.get(usize::from(byte) % LETTERS.len());
        if let (true, Some(letter)) = (byte < 240, letter) {
            text.push(char::from(*letter));
        }
    }
    Ok(text)
}
