use api_types::AuditVerdict;
use api_types::EventPage;
use cluster::ClusterError;

use super::Asked;
use crate::documents::audit;
use crate::problem::Problem;
use crate::service::Service;

/// `GET /v1/audit/events`.
pub(super) async fn events(service: &Service, asked: &Asked) -> Result<EventPage, Problem> {
    let query = audit::query(asked.parameters()?)?;
    let entries = service
        .cluster
        .journal()
        .ledger()
        .events(&query)
        .await
        .map_err(ClusterError::Ledger)?;
    audit::page(&entries, query.limit)
}

/// `GET /v1/audit/verify`.
pub(super) async fn verify(service: &Service, asked: &Asked) -> Result<AuditVerdict, Problem> {
    let report = service.log.check_log().await.map_err(ClusterError::Ledger)?;
    let verdict = audit::verdict(&report);
    service.record_verified(asked.caller.actor(), &verdict).await?;
    Ok(verdict)
}
