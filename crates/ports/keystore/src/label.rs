use std::str::FromStr;

use authority::AuthorityType;
use authority::KeyForm;
use names::ClusterName;

/// Whose a key is, written beside it in the backend (`CKA_LABEL`, a description or tags of a cloud key):
/// `signet/<cluster>/<authority>/<form>/<generation>`.
///
/// It finds keys again after a crash and tells ours from others'; what a key *is* only its public key tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyLabel {
    /// The cluster.
    pub cluster: ClusterName,
    /// The authority.
    pub authority: AuthorityType,
    /// What the key signs.
    pub form: KeyForm,
    /// The number of the authority's generation.
    pub generation: u64,
}

/// The text is no label of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a label of the form signet/<cluster>/<authority>/<form>/<generation>")]
pub struct BadLabel(pub String);

impl KeyLabel {
    /// What all labels of a cluster begin with.
    pub fn prefix(cluster: &ClusterName) -> String {
        format!("signet/{cluster}/")
    }
}

impl std::fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            cluster,
            authority,
            form,
            generation,
        } = self;
        write!(f, "signet/{cluster}/{authority}/{form}/{generation}")
    }
}

impl FromStr for KeyLabel {
    type Err = BadLabel;
    fn from_str(text: &str) -> Result<Self, BadLabel> {
        let bad = || BadLabel(text.chars().take(200).collect());
        let parts: Vec<&str> = text.split('/').collect();
        let ["signet", cluster, authority, form, generation] = parts.as_slice() else {
            return Err(bad());
        };
        Ok(Self {
            cluster: ClusterName::parse(cluster).map_err(|_| bad())?,
            authority: authority.parse().map_err(|_| bad())?,
            form: form.parse().map_err(|_| bad())?,
            generation: generation.parse().map_err(|_| bad())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_round_trip_and_others_do_not_parse() {
        let text = "signet/prod.example.com/saml_idp/tls/12";
        assert_eq!(text.parse::<KeyLabel>().unwrap().to_string(), text);
        for other in [
            "",
            "my key",
            "signet/prod/host/ssh",
            "signet/Prod/host/ssh/1",
            "signet/prod/host/ssh/1/2",
        ] {
            assert!(other.parse::<KeyLabel>().is_err(), "{other}");
        }
    }
}
