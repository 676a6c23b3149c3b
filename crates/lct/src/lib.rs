//! The local connection translation table (LCT table, seed 001 par. 45 to 70).
//!
//! Holds one [`Entry`] for each active connection. An entry ties the connection's original specification, which
//! applications see and which never changes, to its current one, which a move replaces; the relation is one to
//! one in both directions. The table tells which peers must hear of a move, and what there is to list.
//!
//! It also holds what waits for a peer that cannot be reached, and says what this host's TCP is told meanwhile
//! ([`Held`], seed 002 claims 5 to 8): from the numbers that the entries remember.
//!
//! Not its job: it neither sends nor decides where a peer is. The node gives it attachments that were proven.
//!
//! # Life-cycle of an entry
//! [`Table::track`] (first packet either way) → counted by packets, moved by [`Table::migrate`] → ended by TCP's
//! FIN or RST, by silence, or evicted when the table is full.
//!
//! # Cost
//! [`Table::lookup`] takes one shard's read lock; counting is relaxed atomics. Everything else takes the one
//! lock of the ordered index, which packets of a connection under way never touch.

mod entry;
mod index;
mod limits;
mod listing;
mod queues;
mod revival;
mod specification;
mod suspension;
mod table;
mod tcp;
mod trail;

pub use entry::{Entry, State};
pub use limits::Limits;
pub use listing::{ConnectionRow, Stats, Traffic};
pub use revival::{ask_own, ask_peer, revert_backoff};
pub use specification::{Attachment, CurrentSpecification, OriginalSpecification, PathId, PeerId, Token};
pub use suspension::{Budget, Held, HeldCount, Losses, Rules};
pub use table::{Refusal, Table};
