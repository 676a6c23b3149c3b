//! stead-config
