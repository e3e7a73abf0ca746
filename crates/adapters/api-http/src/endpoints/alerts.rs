use api_types::Alert;

use crate::service::Service;

/// `GET /v1/alerts`.
pub(super) fn alerts(service: &Service) -> Vec<Alert> {
    service.alerts()
}
