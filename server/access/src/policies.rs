//! Policies: the roles and permissions that an operator may read and change, checked at start.
//!
//! They are embedded, and a folder with the same files may replace them. What cannot be
//! meant refuses to start with a sentence, since a role that silently holds less than its file
//! says, or more, is worse than no start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use ralex_api::access::{PermissionInfo, Role, RoleName};
use serde::Deserialize;

use crate::marks::{self, Mark};
use crate::never;
pub use crate::refusal::Refusal;
use crate::{Permission, Permissions};

const MODEL: &str = include_str!("../../../policies/access/model.conf");
const ROLES: &str = include_str!("../../../policies/access/roles.csv");
const ROLE_TEXTS: &str = include_str!("../../../policies/access/roles.toml");
const PERMISSIONS: &str = include_str!("../../../policies/access/permissions.toml");
const BREAK_GLASS: &str = include_str!("../../../policies/access/break-glass.toml");
const FOUR_EYES: &str = include_str!("../../../policies/access/four-eyes.toml");

/// The role of team tokens.
pub const SERVICE: &str = "service";
/// The role that an organisation always keeps one of.
pub const OWNER: &str = "owner";

/// casbin follows at most nine links and then denies in silence, so the limit is below that.
pub(crate) const DEEPEST: usize = 6;

/// The roles of this deployment, compiled.
#[derive(Debug)]
pub struct Policies {
    model: String,
    lines: Vec<Line>,
    roles: HashMap<String, Compiled>,
    shown: Vec<Role>,
    /// Pairs of roles that nobody holds both of, the lesser name first.
    apart: BTreeSet<(String, String)>,
    /// Roles that say of others that nobody holds them beside.
    excluding: BTreeSet<String>,
    permissions: Vec<PermissionInfo>,
    marks: Vec<Mark>,
    never_by_glass: Permissions,
}

/// One line of `roles.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub role: String,
    pub holds: Holding,
}

impl Line {
    fn permission(&self) -> Option<String> {
        match &self.holds {
            Holding::Permission(permission) => Some(permission.to_string()),
            Holding::Role(_) | Holding::Bind(_) => None,
        }
    }

    fn included(&self) -> Option<RoleName> {
        match &self.holds {
            Holding::Role(role) => Some(RoleName(role.clone())),
            Holding::Permission(_) | Holding::Bind(_) => None,
        }
    }
}

/// What a line gives to its role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    Role(String),
    Permission(Permission),
    /// The right to give and take this role.
    Bind(String),
}

#[derive(Debug, Default)]
pub(crate) struct Compiled {
    pub permissions: Permissions,
    pub binds: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleTexts {
    role: Vec<RoleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleText {
    name: String,
    title: String,
    description: String,
    /// Roles that nobody holds beside this one.
    #[serde(default)]
    excludes: Vec<String>,
}

/// The text of each file.
pub(crate) struct Files<'a> {
    pub model: &'a str,
    pub roles: &'a str,
    pub role_texts: &'a str,
    pub permissions: &'a str,
    pub four_eyes: &'a str,
    pub break_glass: &'a str,
}

impl Files<'static> {
    pub(crate) const EMBEDDED: Self = Self {
        model: MODEL,
        roles: ROLES,
        role_texts: ROLE_TEXTS,
        permissions: PERMISSIONS,
        four_eyes: FOUR_EYES,
        break_glass: BREAK_GLASS,
    };
}

impl Policies {
    /// Reads the policies: those of `folder`, or the embedded ones.
    pub fn load(folder: Option<&Path>) -> Result<Self, Refusal> {
        let Some(folder) = folder else { return Self::compile(&Files::EMBEDDED) };
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|source| Refusal::Unreadable { path, source })
        };
        Self::compile(&Files {
            model: &read("model.conf")?,
            roles: &read("roles.csv")?,
            role_texts: &read("roles.toml")?,
            permissions: &read("permissions.toml")?,
            four_eyes: &read("four-eyes.toml")?,
            break_glass: &read("break-glass.toml")?,
        })
    }

    pub(crate) fn compile(files: &Files<'_>) -> Result<Self, Refusal> {
        let permissions = check_permissions(files.permissions)?;
        let marks = marks::read(files.four_eyes)?;
        let never_by_glass = never::read(files.break_glass)?;
        // The snapshot is this one model, compiled by hand; another text would only say otherwise.
        if !meaning(files.model).eq(meaning(MODEL)) {
            return Err(Refusal::Model);
        }
        let lines = parse_lines(files.roles)?;
        let roles = compile_roles(&lines, &[])?;
        for built_in in [OWNER, SERVICE] {
            if !roles.contains_key(built_in) {
                return Err(Refusal::MissingRole(built_in));
            }
        }
        let Described { shown, apart, excluding } = describe(files.role_texts, &roles, &lines)?;
        Ok(Self {
            model: files.model.to_owned(),
            lines,
            roles,
            shown,
            apart,
            excluding,
            permissions,
            marks,
            never_by_glass,
        })
    }

    /// Every role with all that it allows, in the order in which they are shown.
    pub fn roles(&self) -> &[Role] {
        &self.shown
    }

    /// Every permission with what it allows, in the order in which they are shown.
    pub(crate) fn permissions_told(&self) -> &[PermissionInfo] {
        &self.permissions
    }

    /// What an organisation can put under four eyes.
    pub(crate) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// What an opened glass never gives.
    pub(crate) const fn never_by_glass(&self) -> Permissions {
        self.never_by_glass
    }

    /// Whether a role of this name exists.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.contains_key(role)
    }

    /// All that a role allows; nothing where it does not exist.
    pub fn permissions_of(&self, role: &str) -> Permissions {
        self.roles.get(role).map_or(Permissions::NONE, |compiled| compiled.permissions)
    }

    /// Whether `role` may give and take `other` by name.
    pub(crate) fn may_bind(&self, role: &str, other: &str) -> bool {
        self.roles.get(role).is_some_and(|compiled| compiled.binds.contains(other))
    }

    /// Whether nobody may hold both of these roles.
    pub(crate) fn are_apart(&self, one: &str, other: &str) -> bool {
        self.apart.contains(&pair(one, other))
    }

    /// Whether the role says of others that nobody holds them beside it.
    pub(crate) fn excludes_others(&self, role: &str) -> bool {
        self.excluding.contains(role)
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }
}

/// The lines that casbin reads.
fn meaning(model: &str) -> impl Iterator<Item = &str> {
    model.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn check_permissions(text: &str) -> Result<Vec<PermissionInfo>, Refusal> {
    let mut told: BTreeMap<String, String> = toml::from_str(text)
        .map_err(|e| Refusal::Malformed { file: "permissions.toml", reason: e.to_string() })?;
    let known: BTreeSet<&str> = Permission::ALL.iter().map(|p| p.as_str()).collect();
    let named: BTreeSet<&str> = told.keys().map(String::as_str).collect();
    if let Some(name) = known.symmetric_difference(&named).next() {
        return Err(Refusal::Permissions((*name).to_owned()));
    }
    let all = Permission::ALL.iter().map(|permission| PermissionInfo {
        description: told.remove(permission.as_str()).unwrap_or_default(),
        name: permission.to_string(),
    });
    Ok(all.collect())
}

fn parse_lines(text: &str) -> Result<Vec<Line>, Refusal> {
    let mut lines = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        lines.push(parse_line(index + 1, trimmed)?);
    }
    Ok(lines)
}

fn parse_line(line: usize, text: &str) -> Result<Line, Refusal> {
    let not_a_line = || Refusal::NotALine { line, text: text.to_owned() };
    let mut fields = text.split(',').map(str::trim);
    let (Some("g2"), Some(role), Some(holds), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(not_a_line());
    };
    let role = role.strip_prefix("role:").ok_or_else(not_a_line)?;
    let (kind, name) = holds.split_once(':').ok_or_else(not_a_line)?;
    let bad = |reason: String| Refusal::BadName { line, reason };
    let role = role_name(role).map_err(bad)?;
    let holds = match kind {
        "role" => Holding::Role(role_name(name).map_err(bad)?),
        "bind" => Holding::Bind(role_name(name).map_err(bad)?),
        "perm" => Holding::Permission(name.parse().map_err(|e| bad(format!("{e}")))?),
        _ => return Err(not_a_line()),
    };
    Ok(Line { role, holds })
}

/// The same shape that the table demands.
pub(crate) fn role_name(name: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let shaped = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 63
        && name.chars().all(allowed);
    if shaped {
        Ok(name.to_owned())
    } else {
        Err(format!("\"{name}\" is not a role's name: lower-case letters, digits and \"_\""))
    }
}

/// `known` are roles that there are also where no line says what they hold.
pub(crate) fn compile_roles(
    lines: &[Line],
    known: &[String],
) -> Result<HashMap<String, Compiled>, Refusal> {
    let mut by_role: BTreeMap<&str, Vec<&Holding>> =
        known.iter().map(|name| (name.as_str(), Vec::new())).collect();
    for line in lines {
        by_role.entry(&line.role).or_default().push(&line.holds);
    }
    for line in lines {
        if let Holding::Role(name) | Holding::Bind(name) = &line.holds
            && !by_role.contains_key(name.as_str())
        {
            return Err(Refusal::UnknownRole(name.clone()));
        }
    }
    let mut roles = HashMap::new();
    for role in by_role.keys() {
        let mut compiled = Compiled::default();
        collect(role, &by_role, &mut vec![role], &mut compiled)?;
        roles.insert((*role).to_owned(), compiled);
    }
    Ok(roles)
}

/// Adds what `role` and all that it inherits hold. `path` is how we came here.
fn collect<'a>(
    role: &'a str,
    by_role: &BTreeMap<&'a str, Vec<&'a Holding>>,
    path: &mut Vec<&'a str>,
    into: &mut Compiled,
) -> Result<(), Refusal> {
    let first = path.first().copied().unwrap_or(role);
    for holding in by_role.get(role).into_iter().flatten() {
        match holding {
            Holding::Permission(permission) => {
                into.permissions = into.permissions.with(*permission);
            }
            Holding::Bind(name) => {
                into.binds.insert(name.clone());
            }
            Holding::Role(name) => {
                if path.contains(&name.as_str()) {
                    return Err(Refusal::Cycle(name.clone(), path.join(" > ")));
                }
                if path.len() == DEEPEST {
                    return Err(Refusal::TooDeep(first.to_owned()));
                }
                path.push(name);
                collect(name, by_role, path, into)?;
                path.pop();
            }
        }
    }
    Ok(())
}

/// What is told of the roles.
struct Described {
    shown: Vec<Role>,
    apart: BTreeSet<(String, String)>,
    excluding: BTreeSet<String>,
}

fn describe(
    text: &str,
    roles: &HashMap<String, Compiled>,
    lines: &[Line],
) -> Result<Described, Refusal> {
    let texts: RoleTexts = toml::from_str(text)
        .map_err(|e| Refusal::Malformed { file: "roles.toml", reason: e.to_string() })?;
    let told: BTreeSet<&str> = texts.role.iter().map(|role| role.name.as_str()).collect();
    let held: BTreeSet<&str> = roles.keys().map(String::as_str).collect();
    if let Some(name) = told.symmetric_difference(&held).next() {
        return Err(Refusal::Untold((*name).to_owned()));
    }
    if told.len() != texts.role.len() {
        let reason = "a role stands there twice".to_owned();
        return Err(Refusal::Malformed { file: "roles.toml", reason });
    }
    let (mut apart, mut excluding) = (BTreeSet::new(), BTreeSet::new());
    for role in &texts.role {
        for other in &role.excludes {
            if !held.contains(other.as_str()) || *other == role.name {
                let reason = format!("the role \"{}\" excludes \"{other}\"", role.name);
                return Err(Refusal::Malformed { file: "roles.toml", reason });
            }
            apart.insert(pair(&role.name, other));
            excluding.insert(role.name.clone());
        }
    }
    let shown = texts.role.into_iter().map(|told| Role {
        permissions: roles.get(&told.name).map_or_else(Vec::new, |c| c.permissions.names()),
        built_in: true,
        direct: of(lines, &told.name).filter_map(Line::permission).collect(),
        includes: of(lines, &told.name).filter_map(Line::included).collect(),
        name: RoleName(told.name),
        title: told.title,
        description: told.description,
        version: 0,
    });
    Ok(Described { shown: shown.collect(), apart, excluding })
}

fn of<'a>(lines: &'a [Line], role: &str) -> impl Iterator<Item = &'a Line> {
    lines.iter().filter(move |line| line.role == role)
}

fn pair(one: &str, other: &str) -> (String, String) {
    let (lesser, greater) = if one < other { (one, other) } else { (other, one) };
    (lesser.to_owned(), greater.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(roles: &str) -> String {
        let files = Files { roles, ..Files::EMBEDDED };
        Policies::compile(&files).unwrap_err().to_string()
    }

    fn with(lines: &str) -> String {
        refused(&format!("{ROLES}\n{lines}\n"))
    }

    /// The matrix as it was agreed; a change of it is a change of `matrix.txt` in the same commit.
    #[test]
    fn the_roles_allow_exactly_what_the_matrix_says() {
        let policies = Policies::load(None).unwrap();
        let names: Vec<_> = policies.roles().iter().map(|role| role.name.to_string()).collect();
        let mut table = format!("{:<24}{}\n", "permission", names.join("  "));
        for permission in Permission::ALL {
            let marks = names.iter().map(|name| {
                let held = policies.permissions_of(name).contains(*permission);
                format!("{:<width$}", if held { "yes" } else { "-" }, width = name.len())
            });
            let row = format!("{permission:<24}{}", marks.collect::<Vec<_>>().join("  "));
            table += row.trim_end();
            table.push('\n');
        }
        assert_eq!(table, include_str!("matrix.txt"), "\n{table}");
    }

    #[test]
    fn roles_that_cannot_be_meant_refuse_to_start() {
        assert!(with("g2, role:viewer, role:owner").contains("holds itself"));
        assert!(with("g2, role:viewer, role:viewer").contains("holds itself"));
        assert!(with("g2, role:viewer, perm:org.reed").contains("no permission \"org.reed\""));
        assert!(with("g2, role:viewer, role:nobody").contains("\"nobody\" is named"));
        assert!(with("g2, role:Viewer, perm:org.read").contains("not a role's name"));
        assert!(with("g2, role:new, perm:org.read").contains("roles.toml"));
        for line in ["g2, viewer, perm:org.read", "g, role:a, perm:org.read", "g2, role:a", "x"] {
            assert!(with(line).contains("is not \"g2"), "{line}");
        }
        assert!(refused("").contains("\"owner\" is missing"));
    }

    #[test]
    fn a_role_is_at_most_six_roles_deep() {
        let chain = |deep: usize| {
            let links = (1..deep).map(|i| format!("g2, role:r{i}, role:r{}\n", i + 1));
            format!("{}g2, role:r{deep}, perm:org.read", links.collect::<String>())
        };
        assert!(with(&chain(7)).contains("more than 6 roles deep"));
        assert!(with(&chain(6)).contains("roles.toml"), "six are allowed, but untold of");
    }

    #[test]
    fn another_model_or_another_list_of_permissions_refuses_to_start() {
        let model = MODEL.replace("&& !some(where (p.eft == deny))", "");
        let files = Files { model: &model, ..Files::EMBEDDED };
        assert!(matches!(Policies::compile(&files), Err(Refusal::Model)));
        let permissions = PERMISSIONS.replace("\"org.read\"", "\"org.reed\"");
        let files = Files { permissions: &permissions, ..Files::EMBEDDED };
        assert!(matches!(Policies::compile(&files), Err(Refusal::Permissions(_))));
    }

    #[test]
    fn a_folder_replaces_what_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/access");
        let policies = Policies::load(Some(&folder)).unwrap();
        assert_eq!(policies.roles(), Policies::load(None).unwrap().roles());
        let refused = Policies::load(Some(Path::new("not-there"))).unwrap_err().to_string();
        assert!(refused.contains("model.conf cannot be read"), "{refused}");
    }
}
