//! Where a step is put on record before it is taken. Who implements it does the writing.

use super::Happened;

/// Takes what is about to happen. `Ok`: it is on record for good, and the step may be taken.
pub trait Ledger {
    type Error;

    /// # Errors
    /// Where it could not be put on record: then it must not happen.
    fn put(&self, happened: Happened) -> Result<(), Self::Error>;
}

impl<L: Ledger + ?Sized> Ledger for &L {
    type Error = L::Error;

    fn put(&self, happened: Happened) -> Result<(), Self::Error> {
        (**self).put(happened)
    }
}
