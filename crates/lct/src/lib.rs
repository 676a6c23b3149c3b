//! stead-lct
