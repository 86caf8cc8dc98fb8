//! The URL map.

use super::map::Map;
use super::{
    access_requests, access_reviews, adjustments, alerts, answers, approvals, audit, audit_proof,
    auth, batches, bindings, break_glass, budgets, call_rules, catalog, changes, factors, files,
    gemini, groups, guardrails, health, links, members, model_list, models, oauth, operations,
    operators, passkeys, personal_tokens, policies, portability, rate_limits, reports, resilience,
    retention, roles, routing, scim, secrets, service_accounts, sinks, sso, sso_providers, teams,
    tokens, usage, who_can,
};

/// Every route but the console's files and the document of these.
pub fn all(map: &mut Map<'_, '_>) {
    map.service(health::live)
        .service(health::ready)
        .service(health::metrics)
        .service(models::chat_completions)
        .service(models::messages)
        .service(models::responses)
        .service(gemini::generate)
        .service(gemini::stream)
        .configure(operations)
        .configure(programs)
        .service(model_list::list)
        .service(model_list::list_gemini)
        .service(model_list::find)
        .service(model_list::find_gemini)
        .api("/api/v1", control_plane);
}

fn control_plane(map: &mut Map<'_, '_>) {
    map.configure(account).of_org("/orgs/{org}", organisation);
}

/// What programs ask that want a person's token.
fn programs(map: &mut Map<'_, '_>) {
    map.service(oauth::authorization_server)
        .service(oauth::authorize)
        .service(oauth::token)
        .service(oauth::begin_device)
        .service(oauth::revoke);
}

fn operations(map: &mut Map<'_, '_>) {
    map.service(files::create_file)
        .service(files::list_files)
        .service(files::find_file)
        .service(files::delete_file)
        .service(files::file_content)
        .service(answers::find_response)
        .service(answers::delete_response)
        .service(answers::cancel_response)
        .service(answers::response_input)
        .service(batches::create_batch)
        .service(batches::list_own_batches)
        .service(batches::find_batch)
        .service(batches::cancel_batch)
        .service(operations::embeddings)
        .service(operations::moderations)
        .service(operations::images)
        .service(operations::image_edits)
        .service(operations::image_variations)
        .service(operations::speech)
        .service(operations::transcriptions)
        .service(operations::translations)
        .service(operations::rerank)
        .service(operations::count_message)
        .service(operations::count_contents)
        .service(operations::embed_content)
        .service(operations::embed_contents);
}

fn account(map: &mut Map<'_, '_>) {
    map.service(auth::login)
        .service(auth::complete_login)
        .service(auth::logout)
        .service(auth::change_password)
        .service(auth::me)
        .service(auth::update_me)
        .service(auth::list_sessions)
        .service(auth::end_other_sessions)
        .service(auth::name_session)
        .service(auth::end_session)
        .service(personal_tokens::list_personal_tokens)
        .service(personal_tokens::create_personal_token)
        .service(personal_tokens::revoke_personal_token)
        .service(personal_tokens::rotate_personal_token)
        .service(personal_tokens::end_former_personal_secret)
        .service(tokens::report_leaked)
        .service(auth::list_orgs)
        .service(links::find_forgotten_offer)
        .service(links::forget_password)
        .service(links::show_link)
        .service(links::answer_invitation)
        .service(links::set_password)
        .service(factors::step_up)
        .service(factors::list_factors)
        .service(factors::begin_totp)
        .service(factors::confirm_totp)
        .service(factors::remove_totp)
        .service(factors::renew_recovery_codes)
        .service(oauth::answer_program)
        .service(oauth::find_device)
        .service(oauth::answer_device)
        .configure(passkeys)
        .configure(sign_on)
        .configure(operators);
}

/// What the deployment's operators do.
fn operators(map: &mut Map<'_, '_>) {
    map.service(operators::list_managed_orgs)
        .service(operators::create_org)
        .service(operators::find_managed_org)
        .service(operators::suspend_org)
        .service(operators::resume_org)
        .service(operators::delete_org)
        .service(operators::confirm_org_deletion)
        .service(operators::keep_org)
        .service(portability::export_managed_org)
        .service(operators::list_deleted_orgs)
        .service(operators::reset_factors)
        .service(operators::list_deactivated_accounts)
        .service(operators::deactivate_account)
        .service(operators::reactivate_account)
        .service(operators::list_operators)
        .service(operators::add_operator)
        .service(operators::remove_operator);
}

/// Passkeys: asked of an authenticator and answered, to make one and to use it.
fn passkeys(map: &mut Map<'_, '_>) {
    map.service(passkeys::find_passkey_offer)
        .service(passkeys::begin_passkey_login)
        .service(passkeys::login_by_passkey)
        .service(passkeys::begin_passkey_factor)
        .service(passkeys::begin_passkey_proof)
        .service(passkeys::begin_passkey)
        .service(passkeys::add_passkey)
        .service(passkeys::rename_passkey)
        .service(passkeys::remove_passkey);
}

/// Coming in by an organisation's own provider, and who one is there.
fn sign_on(map: &mut Map<'_, '_>) {
    map.service(sso::list_sso_doors)
        .service(sso::start_sso)
        .service(sso::finish_sso)
        .service(sso::end_sso)
        .service(sso::list_identities)
        .service(sso::connect_identity)
        .service(sso::disconnect_identity);
}

/// Who vouches for the organisation's people.
fn sign_on_settings(map: &mut Map<'_, '_>) {
    map.service(sso_providers::list_sso_providers)
        .service(sso_providers::create_sso_provider)
        .service(sso_providers::find_sso_provider)
        .service(sso_providers::update_sso_provider)
        .service(sso_providers::delete_sso_provider)
        .service(sso_providers::test_sso_provider)
        .service(sso_providers::list_sso_links)
        .service(sso_providers::create_sso_link)
        .service(sso_providers::delete_sso_link)
        .service(sso_providers::enforce_sso)
        .service(sso_providers::relax_sso)
        .service(scim::find_scim)
        .service(scim::set_scim)
        .service(scim::create_scim_token)
        .service(scim::revoke_scim_token);
}

fn organisation(map: &mut Map<'_, '_>) {
    map.service(teams::find_org)
        .service(teams::update_org)
        .service(factors::find_security)
        .service(factors::update_security)
        .service(portability::export_org)
        .service(portability::find_export_recipients)
        .service(portability::set_export_recipients)
        .service(usage::overview)
        .service(teams::list_teams)
        .service(teams::create_team)
        .service(teams::find_team)
        .service(teams::update_team)
        .service(teams::delete_team)
        .service(teams::list_projects)
        .service(teams::create_project)
        .service(teams::find_project)
        .service(teams::update_project)
        .service(teams::delete_project)
        .service(members::list_members)
        .service(members::add_member)
        .service(members::invite_member)
        .service(members::suspend_member)
        .service(members::resume_member)
        .service(members::remove_member)
        .configure(roles_and_groups)
        .service(service_accounts::list_service_accounts)
        .service(service_accounts::create_service_account)
        .service(service_accounts::find_service_account)
        .service(service_accounts::update_service_account)
        .service(tokens::list_tokens)
        .service(tokens::create_token)
        .service(tokens::revoke_token)
        .service(tokens::rotate_token)
        .service(tokens::end_former_secret)
        .configure(catalogue)
        .configure(sign_on_settings)
        .configure(spending)
        .configure(gateway)
        .configure(alerting)
        .configure(reporting)
        .service(batches::list_batches)
        .service(audit::list_audit)
        .service(audit::checkpoint)
        .service(audit::verify)
        .service(audit::export)
        .configure(audit_proofs);
}

/// Providers, their models and keys.
fn catalogue(map: &mut Map<'_, '_>) {
    map.service(catalog::list_providers)
        .service(catalog::create_provider)
        .service(catalog::find_provider)
        .service(catalog::update_provider)
        .service(catalog::delete_provider)
        .service(catalog::list_models)
        .service(catalog::create_model)
        .service(catalog::find_model)
        .service(catalog::list_model_prices)
        .service(catalog::update_model)
        .service(catalog::delete_model)
        .service(catalog::list_catalog)
        .service(catalog::list_provider_kinds)
        .service(secrets::list_secrets)
        .service(secrets::create_secret)
        .service(secrets::rotate_secret)
        .service(secrets::update_secret)
        .service(secrets::delete_secret);
}

/// What may be spent, what was, and what is likely to be.
fn spending(map: &mut Map<'_, '_>) {
    map.service(budgets::list_budgets)
        .service(budgets::create_budget)
        .service(budgets::find_budget)
        .service(budgets::list_budget_runs)
        .service(budgets::update_budget)
        .service(budgets::delete_budget)
        .service(budgets::increase_budget)
        .service(budgets::end_budget_increase)
        .service(rate_limits::list_rate_limits)
        .service(rate_limits::create_rate_limit)
        .service(rate_limits::find_rate_limit)
        .service(rate_limits::update_rate_limit)
        .service(rate_limits::delete_rate_limit)
        .service(adjustments::list_adjustments)
        .service(adjustments::reverse_adjustment)
        .service(adjustments::reconcile)
        .service(usage::report)
        .service(usage::forecast)
        .service(usage::anomalies)
        .service(usage::replay)
        .service(usage::forecast_budget)
        .service(usage::list_calls)
        .service(usage::export_calls)
        .service(usage::find_call);
}

/// What decides about calls: who answers them, what may be said in them, and what becomes of failures.
fn gateway(map: &mut Map<'_, '_>) {
    map.service(routing::list_routes)
        .service(routing::create_route)
        .service(routing::find_route)
        .service(routing::update_route)
        .service(routing::delete_route)
        .service(routing::list_aliases)
        .service(routing::create_alias)
        .service(routing::update_alias)
        .service(routing::delete_alias)
        .service(routing::list_preferences)
        .service(routing::set_preference)
        .service(routing::find_routing)
        .service(routing::set_routing)
        .service(routing::preview)
        .service(routing::routing_report)
        .service(resilience::provider_health)
        .service(resilience::find_cache)
        .service(resilience::set_cache)
        .service(resilience::clear_cache)
        .service(call_rules::list_call_rules)
        .service(call_rules::create_call_rule)
        .service(call_rules::call_rule_settings)
        .service(call_rules::set_call_rule_settings)
        .service(call_rules::test_call_rules)
        .service(call_rules::simulate_call_rules)
        .service(call_rules::find_call_rule)
        .service(call_rules::update_call_rule)
        .service(call_rules::delete_call_rule)
        .service(guardrails::list_guardrails)
        .service(guardrails::create_guardrail)
        .service(guardrails::list_guardrail_packs)
        .service(guardrails::test_guardrails)
        .service(guardrails::find_guardrail)
        .service(guardrails::update_guardrail)
        .service(guardrails::delete_guardrail)
        .service(approvals::list_approvals)
        .service(approvals::find_approval_settings)
        .service(approvals::set_approval_settings)
        .service(approvals::count_waiting_approvals)
        .service(approvals::find_approval)
        .service(approvals::approve)
        .service(approvals::deny);
}

/// Who may do what.
fn roles_and_groups(map: &mut Map<'_, '_>) {
    map.service(roles::list_permissions)
        .service(roles::list_roles)
        .service(roles::create_role)
        .service(roles::find_role)
        .service(roles::update_role)
        .service(roles::delete_role)
        .service(groups::list_groups)
        .service(groups::create_group)
        .service(groups::find_group)
        .service(groups::update_group)
        .service(groups::delete_group)
        .service(groups::list_group_members)
        .service(groups::add_group_member)
        .service(groups::remove_group_member)
        .service(groups::release_group)
        .service(bindings::list_bindings)
        .service(bindings::create_binding)
        .service(bindings::delete_binding)
        .service(bindings::explain_access)
        .service(who_can::who_can)
        .service(bindings::access_history)
        .service(bindings::simulate_access)
        .service(policies::export_policy)
        .service(policies::import_policy)
        .service(access_requests::list_access_requests)
        .service(access_requests::create_access_request)
        .service(access_requests::find_access_request_settings)
        .service(access_requests::set_access_request_settings)
        .service(access_requests::find_access_request)
        .service(access_requests::approve_access_request)
        .service(access_requests::deny_access_request)
        .service(access_requests::withdraw_access_request)
        .service(access_requests::end_access_request)
        .service(changes::list_change_requests)
        .service(changes::find_four_eyes)
        .service(changes::set_four_eyes)
        .service(changes::find_change_request)
        .service(changes::confirm_change_request)
        .service(changes::refuse_change_request)
        .service(changes::withdraw_change_request)
        .service(break_glass::show_break_glass)
        .service(break_glass::arm_break_glass)
        .service(break_glass::disarm_break_glass)
        .service(break_glass::begin_break_glass)
        .service(break_glass::list_break_glass_openings)
        .service(break_glass::open_break_glass)
        .service(break_glass::confirm_break_glass)
        .service(break_glass::end_break_glass)
        .service(break_glass::review_break_glass)
        .configure(reviews);
}

/// Looks at who holds what.
fn reviews(map: &mut Map<'_, '_>) {
    map.service(access_reviews::list_access_reviews)
        .service(access_reviews::create_access_review)
        .service(access_reviews::find_access_review)
        .service(access_reviews::list_access_review_items)
        .service(access_reviews::decide_access_review)
        .service(access_reviews::close_access_review)
        .service(access_reviews::cancel_access_review)
        .service(access_reviews::sign_access_review)
        .service(access_reviews::download_access_review);
}

/// What people should know of, and who is told.
fn alerting(map: &mut Map<'_, '_>) {
    map.service(alerts::list_alerts)
        .service(alerts::list_alert_kinds)
        .service(alerts::count_unread_alerts)
        .service(alerts::read_alerts)
        .service(alerts::find_alert)
        .service(alerts::acknowledge_alert)
        .service(alerts::resolve_alert)
        .service(alerts::list_alert_rules)
        .service(alerts::create_alert_rule)
        .service(alerts::find_alert_rule)
        .service(alerts::update_alert_rule)
        .service(alerts::delete_alert_rule)
        .service(alerts::test_alert_rule)
        .service(alerts::list_alert_deliveries);
}

/// Evidence for auditors.
fn reporting(map: &mut Map<'_, '_>) {
    map.service(reports::list_frameworks)
        .service(reports::list_reports)
        .service(reports::create_report)
        .service(reports::find_report)
        .service(reports::delete_report)
        .service(reports::download_report)
        .service(reports::list_report_schedules)
        .service(reports::create_report_schedule)
        .service(reports::update_report_schedule)
        .service(reports::delete_report_schedule);
}

fn audit_proofs(map: &mut Map<'_, '_>) {
    map.service(retention::audit_retention)
        .service(retention::ask_audit_retention)
        .service(retention::approve_audit_retention)
        .service(retention::deny_audit_retention)
        .service(retention::prune_audit)
        .service(retention::audit_erasure)
        .service(sinks::list_audit_sinks)
        .service(sinks::create_audit_sink)
        .service(sinks::find_audit_sink)
        .service(sinks::update_audit_sink)
        .service(sinks::change_audit_sink_secret)
        .service(sinks::delete_audit_sink)
        .service(sinks::test_audit_sink)
        .service(sinks::resume_audit_sink)
        .service(audit_proof::prove_event)
        .service(audit_proof::receipt)
        .service(audit_proof::prove_consistency)
        .service(audit_proof::list_audit_keys)
        .service(audit_proof::audit_anchor)
        .service(audit_proof::log_checkpoint)
        .service(audit_proof::log_tile);
}
