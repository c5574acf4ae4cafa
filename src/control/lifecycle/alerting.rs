//! Testing alert channels before they are needed.

use crate::control::desk::{Control, Tried};
use crate::control::duties;
use crate::control::refusal::Refusal;
use crate::model::{Caller, Happened};

impl Control {
    /// Sends a marked test alert by the channel of this name, or by each: what each said.
    pub async fn test_alerts(
        &self,
        caller: &Caller,
        channel: Option<&str>,
    ) -> Result<Vec<Tried>, Refusal> {
        let done = match duties::may_test_alerts(caller) {
            Ok(()) => self.alarm.test(channel, caller).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = &done {
            let about = Happened::default().with("channel", channel.unwrap_or("all"));
            self.refused(caller, "alert-test", about, refusal).await;
        }
        done
    }
}
