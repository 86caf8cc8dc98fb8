//! Calls of models: what comes back, what it costs, and what reaches the provider.

use ralex_tests::app::{App, DIALECTS};

#[tokio::test]
async fn the_simulated_provider_answers_in_both_dialects() {
    let app = App::start().await;
    let token = app.token("blue").await;
    for dialect in DIALECTS {
        let answer = token.client.call(dialect, "simulated", "Hello there").await;
        assert!(dialect.said(&answer).contains("Hello there"), "{answer:?}");
    }
}
