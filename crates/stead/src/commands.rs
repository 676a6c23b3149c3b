//! One file per command.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod connections;
pub(crate) mod daemon;
pub(crate) mod init;
pub(crate) mod keygen;
pub(crate) mod man;
pub(crate) mod order;
pub(crate) mod pubkey;
pub(crate) mod sns;
pub(crate) mod status;
pub(crate) mod up;
