//! (composition root)
