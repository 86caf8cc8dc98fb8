//! How the providers of an organisation do: what their calls of the last minutes say, and which
//! circuits are open.

use ralex_access::Scope;
use ralex_api::resilience::{
    Circuit, CircuitKind, CircuitState, HealthReport, ModelHealth, ProviderHealth,
};
use ralex_kernel::Problem;
use ralex_store::problem;

use crate::{Broker, sql};

/// Of how many minutes the numbers are.
const MINUTES: i32 = 15;

impl Broker {
    /// How providers, models and keys do now.
    pub async fn health(&self, scope: &Scope) -> Result<HealthReport, Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        let providers = sql::provider_health(&mut tx, org, MINUTES).await.map_err(problem)?;
        let models = sql::model_health(&mut tx, org, MINUTES).await.map_err(problem)?;
        let circuits = sql::circuits(&mut tx, org).await.map_err(problem)?;
        let circuits: Vec<Circuit> = circuits.into_iter().filter_map(circuit).collect();
        Ok(HealthReport {
            minutes: MINUTES.unsigned_abs(),
            providers: providers.into_iter().map(|row| provider(row, &circuits)).collect(),
            models: models.into_iter().map(model).collect(),
            circuits,
        })
    }
}

fn provider(row: sql::ProviderRow, circuits: &[Circuit]) -> ProviderHealth {
    let ours = circuits.iter().filter(|circuit| row.parts.contains(&circuit.id));
    let states: Vec<CircuitState> = ours.map(|circuit| circuit.state).collect();
    let circuit = [CircuitState::Open, CircuitState::HalfOpen]
        .into_iter()
        .find(|state| states.contains(state));
    ProviderHealth {
        provider: row.slug,
        enabled: row.enabled,
        tries: count(row.tries),
        failed: count(row.failed),
        circuit,
    }
}

fn model(row: sql::ModelRow) -> ModelHealth {
    let millis = |value: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        let millis = value.clamp(0.0, f64::from(u32::MAX)) as u32;
        millis
    };
    ModelHealth {
        model: row.model,
        provider: row.provider,
        calls: count(row.calls),
        failed: count(row.failed),
        rescued: count(row.rescued),
        first_byte_p50_ms: row.p50.map(millis),
        first_byte_p95_ms: row.p95.map(millis),
    }
}

fn circuit(row: sql::CircuitRow) -> Option<Circuit> {
    let kind = match row.kind.as_str() {
        "provider" => CircuitKind::Provider,
        "model" => CircuitKind::Model,
        "key" => CircuitKind::Key,
        _ => return None,
    };
    Some(Circuit {
        kind,
        id: row.part_id.to_string(),
        name: row.name,
        state: if row.waiting { CircuitState::Open } else { CircuitState::HalfOpen },
        until: row.until,
        openings: u32::try_from(row.openings).unwrap_or(0),
        reason: row.reason,
    })
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
