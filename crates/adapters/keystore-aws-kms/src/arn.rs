use crate::config::RegionName;

/// The ARN of a KMS key: `arn:<partition>:kms:<region>:<account>:key/<id>`. Never of an alias, which may be pointed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct KeyArn {
    partition: String,
    region: String,
    account: String,
    id: String,
}

impl KeyArn {
    /// Parses an ARN; `None` when it is not a key's.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "kms", region, account, resource] = parts.as_slice() else {
            return None;
        };
        let id = resource.strip_prefix("key/")?;
        let is_id = !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_partition = partition.starts_with("aws");
        (is_id && is_partition && !region.is_empty() && !account.is_empty()).then(|| Self {
            partition: (*partition).to_owned(),
            region: (*region).to_owned(),
            account: (*account).to_owned(),
            id: id.to_owned(),
        })
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// `<account>/<region>`, as [`KeyRef::store`](key::KeyRef::store).
    pub(crate) fn store(&self) -> String {
        format!("{}/{}", self.account, self.region)
    }

    /// Whether the same key may stand in other regions too.
    pub(crate) fn is_multi_region(&self) -> bool {
        self.id.starts_with("mrk-")
    }

    /// The same key in another region; only of meaning when [`KeyArn::is_multi_region`].
    pub(crate) fn in_region(&self, region: &RegionName) -> Self {
        Self {
            region: region.as_str().to_owned(),
            ..self.clone()
        }
    }
}

impl std::fmt::Display for KeyArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            partition,
            region,
            account,
            id,
        } = self;
        write!(f, "arn:{partition}:kms:{region}:{account}:key/{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_arns_round_trip_and_others_do_not_parse() {
        let text = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-0123abcd";
        let arn = KeyArn::parse(text).unwrap();
        assert_eq!(arn.to_string(), text);
        assert_eq!(arn.store(), "123456789012/us-gov-west-1");
        assert!(arn.is_multi_region());
        for other in [
            "",
            "0123abcd",
            "arn:aws:kms:eu-central-1:123456789012:alias/signet",
            "arn:aws:s3:eu-central-1:123456789012:key/0123",
            "arn:aws:kms:eu-central-1:123456789012:key/",
            "arn:aws:kms:eu-central-1:123456789012:key/a/b",
            "arn:aws:kms:eu-central-1:123456789012:key/a:b",
            "arn:aws:kms::123456789012:key/a",
        ] {
            assert!(KeyArn::parse(other).is_none(), "{other}");
        }
    }
}
