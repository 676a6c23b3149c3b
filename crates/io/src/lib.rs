//! stead-io
