use tokio::task::JoinSet;

use crate::trouble::Failed;

/// Calls to AWS that run at once while keys are looked through; well below its limits for reading.
const AT_ONCE: usize = 16;

/// Asks `question` about every item, some at a time, and stops at the first error. The answers come in no particular order.
pub(crate) async fn ask_all<T, A, Q, F>(items: Vec<T>, question: Q) -> Result<Vec<A>, Failed>
where
    A: Send + 'static,
    Q: Fn(T) -> F,
    F: Future<Output = Result<A, Failed>> + Send + 'static,
{
    let mut items = items.into_iter();
    let mut running = JoinSet::new();
    for item in items.by_ref().take(AT_ONCE) {
        running.spawn(question(item));
    }
    let mut answers = Vec::new();
    while let Some(ended) = running.join_next().await {
        let answer = ended.map_err(|error| Failed::senseless("kms:ListKeys", "*", error.to_string()))?;
        answers.push(answer?);
        if let Some(item) = items.next() {
            running.spawn(question(item));
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_item_is_asked_about_once() {
        let mut answers = ask_all((0..100).collect(), |item: u32| async move { Ok(item) })
            .await
            .unwrap();
        answers.sort_unstable();
        assert_eq!(answers, (0..100).collect::<Vec<u32>>());
    }

    #[tokio::test]
    async fn one_error_is_the_answer() {
        let fails = |item: u32| async move {
            if item == 50 {
                Err(Failed::senseless("kms:Sign", "*", "x"))
            } else {
                Ok(item)
            }
        };
        assert_eq!(
            ask_all((0..100).collect(), fails).await,
            Err(Failed::senseless("kms:Sign", "*", "x"))
        );
    }
}
