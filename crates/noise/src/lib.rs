//! stead-noise
