use api_types::Status;
use api_types::Version;
use cluster::KeyPart;

use crate::documents::status;
use crate::documents::status::SigningKey;
use crate::service::Service;

/// The version of the API.
const API: u32 = 1;

/// `GET /v1/version`.
pub(super) fn version(service: &Service) -> Version {
    Version {
        version: service.cluster.settings().version.clone(),
        api: API,
    }
}

/// `GET /v1/status`.
pub(super) fn status(service: &Service) -> Status {
    let cluster = &service.cluster;
    let view = cluster.view();
    let records = || view.authorities.values().map(|view| &view.record);
    let signing: Vec<SigningKey> = records()
        .flat_map(|record| {
            let lines = cluster::Cluster::key_lines(record).into_iter();
            lines
                .filter(|line| line.part == KeyPart::Active)
                .map(|line| SigningKey {
                    authority: record.authority,
                    form: line.key.form,
                    storage: line.key.reference.backend,
                    is_preferred: cluster.custody().is_preferred(&line.key.reference),
                })
        })
        .collect();
    // In the order operators know, which is not that of the map.
    let ordered = authority::AuthorityType::ALL
        .iter()
        .filter_map(|kind| view.authorities.get(kind));
    Status {
        cluster: cluster.name().to_string(),
        version: cluster.settings().version.clone(),
        ca_pins: cluster.ca_pins().iter().map(status::ca_pin).collect(),
        signature_algorithm_suite: cluster.suite().as_str().to_owned(),
        server_id: cluster.settings().server_id.clone(),
        custody: status::custody(cluster.custody().kind(), &signing),
        alerts: service.alerts(),
        authorities: ordered.map(|view| status::authority(&view.record)).collect(),
    }
}
