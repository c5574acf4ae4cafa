//! Security events: forged, expired, replayed and honest ones in; sessions' ends out.

mod hear;
mod stage;
mod tell;
mod unheard;
