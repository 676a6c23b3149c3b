//! The annotated examples in `configs/`, and the configuration that a new node starts from.

/// An example whose every key is explained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Template {
    /// Moves about and speaks first.
    RoamingLaptop,
    /// Stays in one place and waits.
    PublicServer,
}

impl Template {
    /// The example, peers included.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::RoamingLaptop => include_str!("../../../configs/roaming-laptop.yaml"),
            Self::PublicServer => include_str!("../../../configs/public-server.yaml"),
        }
    }

    /// The same text for a node of its own: what belongs to the example's services and peers is commented
    /// out, so that no new node trusts a stranger's key.
    #[must_use]
    pub fn without_strangers(self) -> String {
        let mut text = String::new();
        let mut among_strangers = false;
        for line in self.example().lines() {
            if among_strangers && line.starts_with(' ') {
                text.push('#');
            }
            text.push_str(line);
            text.push('\n');
            among_strangers |= line.starts_with("services:");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::{Configuration, StateDirectory};

    const BOTH: [Template; 2] = [Template::RoamingLaptop, Template::PublicServer];

    fn loaded(text: &str) -> Configuration {
        let dir = tempfile::tempdir().unwrap();
        for (name, key) in [
            ("private.key", "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="),
            ("laptop.psk", "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="),
        ] {
            std::fs::write(dir.path().join(name), key).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = std::fs::Permissions::from_mode(0o600);
                std::fs::set_permissions(dir.path().join(name), mode).unwrap();
            }
        }
        let file = dir.path().join("stead.yaml");
        std::fs::write(&file, text).unwrap();
        Configuration::load(&file).unwrap_or_else(|report| panic!("{report}"))
    }

    #[test]
    fn the_examples_load_once_their_keys_are_there() {
        let laptop = loaded(Template::RoamingLaptop.example());
        assert!(laptop.warnings.is_empty(), "{}", laptop.warnings);
        assert_eq!(laptop.listen_port, 0);
        assert_eq!(laptop.peers.len(), 1);
        assert_eq!(laptop.peers[0].endpoints.len(), 2);
        assert!(laptop.peers[0].persistent_keepalive.is_some());
        assert_eq!(laptop.services.len(), 1);
        assert!(laptop.services[0].relay && laptop.services[0].keepalive.is_some());

        let server = loaded(Template::PublicServer.example());
        assert!(server.warnings.is_empty(), "{}", server.warnings);
        assert_eq!(server.listen_port, 51820);
        let names: Vec<_> = server.peers.iter().map(|peer| peer.name.as_str()).collect();
        assert_eq!(names, ["laptop", "phone"]);
        assert!(server.peers[0].preshared_key.is_some());
        assert!(laptop.mobile && !server.mobile);
        assert_eq!(server.state_directory, StateDirectory::At("/var/lib/stead".into()));
    }

    #[test]
    fn what_is_left_out_moves_and_remembers_in_the_usual_place() {
        let short = loaded("private_key_file: private.key\npeers: {}\n");
        assert!(short.mobile);
        assert_eq!(short.state_directory, StateDirectory::Usual);
        let off = loaded("private_key_file: private.key\npeers: {}\nmobile: off\nstate_directory: off\n");
        assert!(!off.mobile);
        assert_eq!(off.state_directory, StateDirectory::Off);
    }

    #[test]
    fn a_new_node_starts_with_a_valid_configuration_and_no_strangers() {
        for template in BOTH {
            let configuration = loaded(&template.without_strangers());
            assert!(configuration.peers.is_empty() && configuration.services.is_empty());
            let words: Vec<_> =
                configuration.warnings.findings().iter().map(|finding| finding.what()).collect();
            assert_eq!(words, ["there are no peers"]);
        }
    }

    #[test]
    fn taking_the_hash_signs_away_gives_the_example_back() {
        for template in BOTH {
            let text = template.without_strangers();
            let (before, strangers) = text.split_once("services:\n").unwrap();
            let strangers: String = strangers.lines().map(|line| format!("{}\n", strip(line))).collect();
            assert_eq!(format!("{before}services:\n{strangers}"), template.example());
        }
    }

    /// What was commented out was indented; the example's own comments at the margin are not.
    fn strip(line: &str) -> &str {
        if line.starts_with("#  ") { &line[1..] } else { line }
    }

    #[test]
    fn every_key_is_explained_with_its_default() {
        for template in BOTH {
            let lines: Vec<_> = template.example().lines().collect();
            for (index, line) in lines.iter().enumerate() {
                let key = line.trim_start();
                let is_value = key.contains(": ") && !key.starts_with('#') && !key.starts_with("- ");
                if !is_value {
                    continue;
                }
                let comment: String = lines[..index]
                    .iter()
                    .rev()
                    .take_while(|line| line.trim_start().starts_with('#'))
                    .copied()
                    .collect();
                assert!(
                    comment.contains("Default") || comment.contains("Required"),
                    "`{key}` lacks its default"
                );
            }
        }
    }
}
