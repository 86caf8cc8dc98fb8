//! What is tidied up in memory for as long as the server runs.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;

/// Keeps histograms from growing.
pub async fn upkeep(recorder: PrometheusHandle, heard: impl Future<Output = ()>) {
    let work = async {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            recorder.run_upkeep();
        }
    };
    tokio::select! {
        () = work => {}
        () = heard => {}
    }
}
