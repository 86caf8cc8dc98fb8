//! What counts on a budget beside its calls, and the comparison with what providers billed.

use chrono::{DateTime, NaiveDate, Utc};
use ralex_kernel::{AdjustmentId, BudgetId, Money, NodeId};

crate::words! {
    /// Why something counts that is no call.
    pub enum AdjustmentReason {
        /// A node went silent with this in hand, and may have spent it.
        LeaseLost = "lease_lost",
        /// A provider's export of a day tells something else than the calls of that day.
        Reconciled = "reconciled",
        /// Another entry was taken back.
        Reversed = "reversed",
    }

    /// What an export is written in.
    pub enum ExportFormat {
        /// Pages of OpenAI's `/v1/organization/costs` or `/v1/organization/usage/...`.
        Openai = "openai",
        /// Pages of Anthropic's `/v1/organizations/cost_report` or `.../usage_report/messages`.
        Anthropic = "anthropic",
        /// A table with the columns `date`, `model` and `cost`.
        Csv = "csv",
    }
}

crate::answer! {
    /// One entry beside a budget's calls. It is never changed: what is taken back is an entry of
    /// its own.
    pub struct Adjustment {
        pub id: AdjustmentId,
        /// Adds to what is spent, or where it is negative takes away from it.
        pub amount: Money,
        pub reason: AdjustmentReason,
        /// The period that it counts in.
        pub period_starts_at: DateTime<Utc>,
        /// The node that went silent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub node: Option<NodeId>,
        /// The day of UTC and the provider that the export told of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub day: Option<NaiveDate>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub provider: Option<String>,
        /// The entry that this one takes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reverses: Option<AdjustmentId>,
        /// The entry that takes this one back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reversed_by: Option<AdjustmentId>,
        pub note: String,
        /// The person's e-mail address or the token's name; absent where the deployment did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub created_by: Option<String>,
        pub created_at: DateTime<Utc>,
    }

    /// What an export tells beside what the calls tell.
    pub struct Reconciliation {
        pub provider: String,
        /// True where budgets were adjusted by it.
        pub applied: bool,
        /// Each day and model that the export or the calls tell of.
        pub rows: Vec<ReconciledRow>,
        /// Each day that the export tells of.
        pub days: Vec<ReconciledDay>,
    }

    /// One day and model.
    pub struct ReconciledRow {
        pub day: NaiveDate,
        /// As the provider names it; absent where the export does not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model: Option<String>,
        /// Absent where the export tells tokens only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub exported: Option<Money>,
        pub recorded: Money,
        /// What was exported less what was recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub difference: Option<Money>,
        pub exported_input_tokens: u64,
        pub exported_output_tokens: u64,
        pub recorded_input_tokens: u64,
        pub recorded_output_tokens: u64,
    }

    /// One day, and the organisation's own budgets that its difference belongs to.
    pub struct ReconciledDay {
        pub day: NaiveDate,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub exported: Option<Money>,
        pub recorded: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub difference: Option<Money>,
        /// False while the day is not over: until then nothing is adjusted by it.
        pub over: bool,
        pub budgets: Vec<ReconciledBudget>,
    }

    /// A budget that a day's difference belongs to.
    pub struct ReconciledBudget {
        pub budget: BudgetId,
        /// What earlier exports of the day have adjusted it by already.
        pub adjusted: Money,
        /// What is missing to that, or was until it was applied.
        pub adds: Money,
        /// What counts here because nodes went silent on that day, which may be part of the
        /// difference: reverse it when the exports of all providers of the day are applied.
        pub lease_lost: Money,
    }
}

crate::request! {
    /// Why an entry is taken back.
    pub struct ReverseAdjustment {
        pub note: String,
    }

    /// A provider's export to compare with the calls.
    pub struct Reconcile {
        /// The provider's slug.
        pub provider: String,
        pub format: ExportFormat,
        /// The export as the provider wrote it, at most 8 MiB; several pages one after the other.
        pub export: String,
        /// Adjusts the organisation's budgets by the differences; without it nothing is changed.
        #[serde(default)]
        pub apply: bool,
    }
}
