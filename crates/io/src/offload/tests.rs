//! Packets built by hand, cut and put together: by a naive implementation and by the real one.

mod coalescer;
mod ground;
mod round_trip;
mod segments;
