//! Signing in, one's own account, teams, projects, people and tokens.

use ralex_api::Page;
use ralex_api::access::{
    Able, Binding, ExplainQuestion, Explanation, Group, GroupMember, NewBinding, NewGroup,
    NewGroupMember, NewRole, PermissionInfo, Role, UpdateGroup, UpdateRole, WhoCanQuestion,
};
use ralex_api::factors::{Factors, NewTotp, OrgSecurity, RecoveryCodes, UpdateOrgSecurity};
use ralex_api::identity::{
    LoginAnswer, Me, Member, NameSession, NewMember, NewMemberAnswer, NewProject,
    NewServiceAccount, NewTeam, Org, Project, ServiceAccount, Session, Team, UpdateMe, UpdateOrg,
    UpdateProject, UpdateServiceAccount, UpdateTeam, User,
};
use ralex_api::tokens::{NewPersonalToken, NewToken, NewTokenAnswer, RotateToken, Token};
use ralex_kernel::{BindingId, Email, Name, SessionId, TokenId, UserId};
use serde_json::json;

use super::client::{self, Reply};
use super::{ALL, PAGE, page, path};
use crate::text::query::Query;

pub fn login(email: &Email, password: &str) -> Reply<LoginAnswer> {
    client::create("/auth/login", &json!({ "email": email, "password": password }))
}

pub fn complete_login(challenge: &str, code: &str) -> Reply<LoginAnswer> {
    client::create("/auth/second-factor", &json!({ "challenge": challenge, "code": code }))
}

/// Proves anew who is behind the session.
pub fn step_up(password: &str, code: Option<&str>) -> Reply<()> {
    client::tell("/auth/step-up", Some(&json!({ "password": password, "code": code })))
}

pub fn factors() -> Reply<Factors> {
    client::find("/me/factors")
}

pub fn begin_totp() -> Reply<NewTotp> {
    client::create("/auth/totp", &json!({}))
}

pub fn confirm_totp(code: &str) -> Reply<RecoveryCodes> {
    client::create("/auth/totp/confirm", &json!({ "code": code }))
}

pub fn remove_totp() -> Reply<()> {
    client::delete("/auth/totp")
}

pub fn renew_recovery_codes() -> Reply<RecoveryCodes> {
    client::create("/auth/recovery-codes", &json!({}))
}

pub fn security(org: &str) -> Reply<OrgSecurity> {
    client::find(&path(org, &["security"]))
}

pub fn set_security(org: &str, change: &UpdateOrgSecurity) -> Reply<OrgSecurity> {
    client::update(&path(org, &["security"]), change)
}

pub fn logout() -> Reply<()> {
    client::tell("/auth/logout", None)
}

pub fn change_password(current: &str, new: &str) -> Reply<()> {
    client::tell("/auth/password", Some(&json!({ "current": current, "new": new })))
}

pub fn me() -> Reply<Me> {
    client::find("/me")
}

pub fn sessions(cursor: Option<String>) -> Reply<Page<Session>> {
    client::list(&page("/me/sessions", cursor.as_deref(), PAGE, Query::default()))
}

pub fn rename(name: Name) -> Reply<User> {
    client::update("/me", &UpdateMe { name })
}

pub fn name_session(id: SessionId, name: Option<Name>) -> Reply<Session> {
    client::update(&format!("/me/sessions/{id}"), &NameSession { name })
}

pub fn end_session(id: SessionId) -> Reply<()> {
    client::delete(&format!("/me/sessions/{id}"))
}

pub fn end_other_sessions() -> Reply<()> {
    client::delete("/me/sessions")
}

pub fn own_tokens(cursor: Option<String>) -> Reply<Page<Token>> {
    client::list(&page("/me/tokens", cursor.as_deref(), PAGE, Query::default()))
}

pub fn create_own_token(new: NewPersonalToken) -> Reply<NewTokenAnswer> {
    client::create("/me/tokens", &new)
}

pub fn revoke_own_token(id: TokenId) -> Reply<()> {
    client::delete(&format!("/me/tokens/{id}"))
}

/// Of an organisation's token, or of one's own.
fn token_path(org: Option<&str>, id: TokenId, part: &str) -> String {
    match org {
        Some(org) => path(org, &["tokens", &id.to_string(), part]),
        None => format!("/me/tokens/{id}/{part}"),
    }
}

pub fn rotate(org: Option<&str>, id: TokenId, how: RotateToken) -> Reply<NewTokenAnswer> {
    client::create(&token_path(org, id, "rotate"), &how)
}

pub fn end_former(org: Option<&str>, id: TokenId) -> Reply<()> {
    client::delete(&token_path(org, id, "former"))
}

pub fn teams(org: &str, cursor: Option<String>) -> Reply<Page<Team>> {
    client::list(&page(&path(org, &["teams"]), cursor.as_deref(), ALL, Query::default()))
}

pub fn create_team(org: &str, new: NewTeam) -> Reply<Team> {
    client::create(&path(org, &["teams"]), &new)
}

pub fn rename_org(org: &str, change: UpdateOrg) -> Reply<Org> {
    client::update(&path(org, &[]), &change)
}

pub fn update_team(org: &str, team: &str, change: UpdateTeam) -> Reply<Team> {
    client::update(&path(org, &["teams", team]), &change)
}

pub fn delete_team(org: &str, team: &str) -> Reply<()> {
    client::delete(&path(org, &["teams", team]))
}

pub fn projects(org: &str, team: Option<&str>) -> Reply<Page<Project>> {
    let filters = Query::default().with_some("team", team);
    client::list(&page(&path(org, &["projects"]), None, ALL, filters))
}

pub fn create_project(org: &str, new: NewProject) -> Reply<Project> {
    client::create(&path(org, &["projects"]), &new)
}

pub fn update_project(org: &str, project: &str, change: UpdateProject) -> Reply<Project> {
    client::update(&path(org, &["projects", project]), &change)
}

pub fn delete_project(org: &str, project: &str) -> Reply<()> {
    client::delete(&path(org, &["projects", project]))
}

pub fn members(org: &str, cursor: Option<String>) -> Reply<Page<Member>> {
    client::list(&page(&path(org, &["members"]), cursor.as_deref(), PAGE, Query::default()))
}

/// Members to choose from: as many as one answer holds.
pub fn everybody(org: &str) -> Reply<Page<Member>> {
    client::list(&page(&path(org, &["members"]), None, ALL, Query::default()))
}

pub fn add_member(org: &str, new: NewMember) -> Reply<NewMemberAnswer> {
    client::create(&path(org, &["members"]), &new)
}

/// Sends another invitation to who has not used theirs.
pub fn invite_member(org: &str, user: UserId) -> Reply<NewMemberAnswer> {
    client::create(&path(org, &["members", &user.to_string(), "invite"]), &json!({}))
}

/// Closes the organisation to a member, or opens it again.
pub fn suspend_member(org: &str, user: UserId, suspend: bool) -> Reply<Member> {
    let verb = if suspend { "suspend" } else { "resume" };
    client::create(&path(org, &["members", &user.to_string(), verb]), &serde_json::json!({}))
}

pub fn remove_member(org: &str, user: UserId) -> Reply<()> {
    client::delete(&path(org, &["members", &user.to_string()]))
}

pub fn roles(org: &str) -> Reply<Page<Role>> {
    client::list(&path(org, &["roles"]))
}

/// All by which a role is given or denied, as far as one answer holds them.
pub fn holders(org: &str, role: &str) -> Reply<Page<Binding>> {
    let filters = Query::default().with("role", role);
    client::list(&page(&path(org, &["bindings"]), None, ALL, filters))
}

pub fn permissions(org: &str) -> Reply<Page<PermissionInfo>> {
    client::list(&path(org, &["permissions"]))
}

pub fn create_role(org: &str, new: NewRole) -> Reply<Role> {
    client::create(&path(org, &["roles"]), &new)
}

/// Changes the version that was read.
pub fn update_role(org: &str, read: &Role, change: &UpdateRole) -> Reply<Role> {
    let path = path(org, &["roles", read.name.as_str()]);
    client::update_if(&path, change, client::of_version(read.version))
}

/// Deletes the version that was read.
pub fn delete_role(org: &str, read: &Role) -> Reply<()> {
    let path = path(org, &["roles", read.name.as_str()]);
    client::delete_if(&path, client::of_version(read.version))
}

pub fn groups(org: &str, cursor: Option<String>) -> Reply<Page<Group>> {
    client::list(&page(&path(org, &["groups"]), cursor.as_deref(), ALL, Query::default()))
}

pub fn create_group(org: &str, new: NewGroup) -> Reply<Group> {
    client::create(&path(org, &["groups"]), &new)
}

pub fn update_group(org: &str, group: &str, change: UpdateGroup) -> Reply<Group> {
    client::update(&path(org, &["groups", group]), &change)
}

/// Lets people decide again who is in a group that the directory made.
pub fn release_group(org: &str, group: &str) -> Reply<Group> {
    client::create(&path(org, &["groups", group, "release"]), &serde_json::json!({}))
}

pub fn delete_group(org: &str, group: &str) -> Reply<()> {
    client::delete(&path(org, &["groups", group]))
}

pub fn group_members(org: &str, group: &str) -> Reply<Page<GroupMember>> {
    client::list(&page(&path(org, &["groups", group, "members"]), None, ALL, Query::default()))
}

pub fn add_group_member(org: &str, group: &str, user: &str) -> Reply<GroupMember> {
    let new = NewGroupMember { subject: format!("user:{user}") };
    client::create(&path(org, &["groups", group, "members"]), &new)
}

pub fn remove_group_member(org: &str, group: &str, user: UserId) -> Reply<()> {
    client::delete(&path(org, &["groups", group, "members", &user.to_string()]))
}

pub fn create_binding(org: &str, new: NewBinding) -> Reply<Binding> {
    client::create(&path(org, &["bindings"]), &new)
}

pub fn delete_binding(org: &str, id: BindingId) -> Reply<()> {
    client::delete(&path(org, &["bindings", &id.to_string()]))
}

/// Whether somebody may do something at a place, and what decides it.
pub fn explain(org: &str, asked: &ExplainQuestion) -> Reply<Explanation> {
    client::create(&path(org, &["access", "explain"]), asked)
}

pub fn who_can(org: &str, asked: &WhoCanQuestion) -> Reply<Page<Able>> {
    client::create(&path(org, &["access", "who-can"]), asked)
}

pub fn service_accounts(org: &str, cursor: Option<String>) -> Reply<Page<ServiceAccount>> {
    client::list(&page(&path(org, &["service-accounts"]), cursor.as_deref(), ALL, Query::default()))
}

pub fn create_service_account(org: &str, new: NewServiceAccount) -> Reply<ServiceAccount> {
    client::create(&path(org, &["service-accounts"]), &new)
}

pub fn update_service_account(
    org: &str,
    account: &str,
    change: UpdateServiceAccount,
) -> Reply<ServiceAccount> {
    client::update(&path(org, &["service-accounts", account]), &change)
}

pub fn disable_service_account(org: &str, account: &str) -> Reply<()> {
    let change = UpdateServiceAccount { name: None, disabled: Some(true) };
    client::change(&path(org, &["service-accounts", account]), &change)
}

pub fn tokens(org: &str, cursor: Option<String>) -> Reply<Page<Token>> {
    client::list(&page(&path(org, &["tokens"]), cursor.as_deref(), PAGE, Query::default()))
}

pub fn create_token(org: &str, new: NewToken) -> Reply<NewTokenAnswer> {
    client::create(&path(org, &["tokens"]), &new)
}

pub fn revoke_token(org: &str, id: TokenId) -> Reply<()> {
    client::delete(&path(org, &["tokens", &id.to_string()]))
}
