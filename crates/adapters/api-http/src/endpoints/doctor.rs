use api_types::Finding;

use crate::service::Service;

/// `GET /v1/doctor`.
pub(super) async fn doctor(service: &Service) -> Vec<Finding> {
    service.doctor.examine().await
}
