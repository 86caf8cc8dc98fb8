//! Signing in, one's own account, teams, projects, people and tokens.

use ralex_api::Page;
use ralex_api::access::Role;
use ralex_api::identity::{
    LoginAnswer, Me, Member, NewMember, NewMemberAnswer, NewPersonalToken, NewProject, NewTeam,
    NewToken, NewTokenAnswer, Project, Session, Team, Token, UpdateTeam,
};
use ralex_kernel::{Email, SessionId, TokenId, UserId};
use serde_json::json;

use super::client::{self, Answer};
use super::{ALL, PAGE, page, path};
use crate::text::query::Query;

pub async fn login(email: &Email, password: &str) -> Answer<LoginAnswer> {
    client::create("/auth/login", &json!({ "email": email, "password": password })).await
}

pub async fn logout() -> Answer<()> {
    client::tell("/auth/logout", None).await
}

pub async fn change_password(current: &str, new: &str) -> Answer<()> {
    client::tell("/auth/password", Some(&json!({ "current": current, "new": new }))).await
}

pub async fn me() -> Answer<Me> {
    client::find("/me").await
}

pub async fn sessions(cursor: Option<String>) -> Answer<Page<Session>> {
    client::find(&page("/me/sessions", cursor.as_deref(), PAGE, Query::default())).await
}

pub async fn end_session(id: SessionId) -> Answer<()> {
    client::delete(&format!("/me/sessions/{id}")).await
}

pub async fn own_tokens(cursor: Option<String>) -> Answer<Page<Token>> {
    client::find(&page("/me/tokens", cursor.as_deref(), PAGE, Query::default())).await
}

pub async fn create_own_token(new: NewPersonalToken) -> Answer<NewTokenAnswer> {
    client::create("/me/tokens", &new).await
}

pub async fn revoke_own_token(id: TokenId) -> Answer<()> {
    client::delete(&format!("/me/tokens/{id}")).await
}

pub async fn teams(org: &str, cursor: Option<String>) -> Answer<Page<Team>> {
    client::find(&page(&path(org, &["teams"]), cursor.as_deref(), ALL, Query::default())).await
}

pub async fn create_team(org: &str, new: NewTeam) -> Answer<Team> {
    client::create(&path(org, &["teams"]), &new).await
}

pub async fn update_team(org: &str, team: &str, change: UpdateTeam) -> Answer<Team> {
    client::update(&path(org, &["teams", team]), &change).await
}

pub async fn delete_team(org: &str, team: &str) -> Answer<()> {
    client::delete(&path(org, &["teams", team])).await
}

pub async fn projects(org: &str, team: Option<&str>) -> Answer<Page<Project>> {
    let filters = Query::default().with_some("team", team);
    client::find(&page(&path(org, &["projects"]), None, ALL, filters)).await
}

pub async fn create_project(org: &str, new: NewProject) -> Answer<Project> {
    client::create(&path(org, &["projects"]), &new).await
}

pub async fn delete_project(org: &str, project: &str) -> Answer<()> {
    client::delete(&path(org, &["projects", project])).await
}

pub async fn members(org: &str, cursor: Option<String>) -> Answer<Page<Member>> {
    client::find(&page(&path(org, &["members"]), cursor.as_deref(), PAGE, Query::default())).await
}

pub async fn add_member(org: &str, new: NewMember) -> Answer<NewMemberAnswer> {
    client::create(&path(org, &["members"]), &new).await
}

pub async fn remove_member(org: &str, user: UserId) -> Answer<()> {
    client::delete(&path(org, &["members", &user.to_string()])).await
}

pub async fn roles(org: &str) -> Answer<Page<Role>> {
    client::find(&path(org, &["roles"])).await
}

pub async fn tokens(org: &str, cursor: Option<String>) -> Answer<Page<Token>> {
    client::find(&page(&path(org, &["tokens"]), cursor.as_deref(), PAGE, Query::default())).await
}

pub async fn create_token(org: &str, new: NewToken) -> Answer<NewTokenAnswer> {
    client::create(&path(org, &["tokens"]), &new).await
}

pub async fn revoke_token(org: &str, id: TokenId) -> Answer<()> {
    client::delete(&path(org, &["tokens", &id.to_string()])).await
}
