//! stead-rig
