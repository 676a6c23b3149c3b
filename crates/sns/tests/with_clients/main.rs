//! The service between clients that are nothing but WireGuard initiators with options.

mod bounds;
mod leases;
mod notices;
mod relayed;
mod sessions;
mod strangers;
mod world;
