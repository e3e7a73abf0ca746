use api_types::Severity;
use cluster::Alert;
use names::UnixSeconds;

/// An alert as a document. One that was not written down yet is of now.
pub(crate) fn alert(alert: Alert, now: UnixSeconds) -> api_types::Alert {
    let Alert {
        id,
        severity,
        message,
        hint,
        since,
    } = alert;
    let severity = match severity {
        cluster::Severity::Low => Severity::Low,
        cluster::Severity::Medium => Severity::Medium,
        cluster::Severity::High => Severity::High,
    };
    let hint = Some(hint).filter(|hint| !hint.is_empty());
    api_types::Alert {
        id,
        severity,
        message,
        hint,
        created: since.unwrap_or(now).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_of_the_time_it_was_noticed() {
        let made = |since, hint: &str| {
            let severity = cluster::Severity::High;
            let noticed = Alert {
                id: "a".into(),
                severity,
                message: "m".into(),
                hint: hint.into(),
                since,
            };
            alert(noticed, UnixSeconds(60))
        };
        assert_eq!(made(Some(UnixSeconds(0)), "").created, "1970-01-01T00:00:00Z");
        assert_eq!(made(None, "").created, "1970-01-01T00:01:00Z");
        assert_eq!(made(None, "").hint, None);
        assert_eq!(made(None, "run it").hint.as_deref(), Some("run it"));
    }
}
