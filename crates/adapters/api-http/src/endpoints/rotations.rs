use api_types::RotateAnswer;
use api_types::RotateRequest;

use super::Asked;
use crate::documents::rotations;
use crate::problem::Problem;
use crate::service::Service;

/// `POST /v1/rotations`.
pub(super) async fn rotate(service: &Service, asked: &Asked) -> Result<RotateAnswer, Problem> {
    let document: RotateRequest = asked.document()?;
    let is_dry_run = document.dry_run;
    let request = rotations::request(document)?;
    if is_dry_run {
        let plan = service.cluster.plan_rotation(&request).await?;
        return Ok(rotations::plan_answer(
            &plan,
            &service.cluster.settings().server_id,
        ));
    }
    let rotated = service.cluster.rotate(&asked.caller.actor(), &request).await?;
    // The listeners follow before the answer, so that whoever reads it finds them in the new phase. The step is taken
    // either way; the next tick tries again.
    let mut answer = rotations::answer(&rotated);
    if let Err(error) = service.front.reload().await {
        let why = crate::problem::chain(&error);
        tracing::error!(error = %why, "the listeners do not follow the rotation yet");
        answer.message.push_str(&format!(
            " Warning: this server's own listeners do not follow yet: {why}. `signetctl status` shows when they do."
        ));
    }
    Ok(answer)
}
