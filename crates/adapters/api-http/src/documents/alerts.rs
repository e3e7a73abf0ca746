use std::collections::HashMap;

use api_types::Severity;
use cluster::Alert;
use names::UnixSeconds;

/// Since when each alert is seen. One whose cause went away and came back begins anew.
#[derive(Debug, Default)]
pub(crate) struct AlertTimes {
    since: HashMap<String, UnixSeconds>,
}

impl AlertTimes {
    /// The alerts as documents, with the moment each was seen first.
    pub(crate) fn date(&mut self, alerts: Vec<Alert>, now: UnixSeconds) -> Vec<api_types::Alert> {
        self.since.retain(|id, _| alerts.iter().any(|alert| alert.id == *id));
        let dated = alerts.into_iter().map(|Alert { id, severity, message, hint }| {
            let created = self.since.entry(id.clone()).or_insert(now).to_string();
            let severity = match severity {
                cluster::Severity::Low => Severity::Low,
                cluster::Severity::Medium => Severity::Medium,
                cluster::Severity::High => Severity::High,
            };
            api_types::Alert { id, severity, message, hint: Some(hint).filter(|hint| !hint.is_empty()), created }
        });
        dated.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(id: &str) -> Alert {
        Alert { id: id.into(), severity: cluster::Severity::High, message: "m".into(), hint: String::new() }
    }

    #[test]
    fn an_alert_keeps_its_time_until_its_cause_is_gone() {
        let mut times = AlertTimes::default();
        let first = times.date(vec![alert("a")], UnixSeconds(0));
        assert_eq!(first[0].created, "1970-01-01T00:00:00Z");
        assert_eq!(first[0].hint, None);
        let second = times.date(vec![alert("a"), alert("b")], UnixSeconds(60));
        assert_eq!(second[0].created, "1970-01-01T00:00:00Z");
        assert_eq!(second[1].created, "1970-01-01T00:01:00Z");
        assert!(times.date(Vec::new(), UnixSeconds(90)).is_empty());
        assert_eq!(times.date(vec![alert("a")], UnixSeconds(120))[0].created, "1970-01-01T00:02:00Z");
    }
}
