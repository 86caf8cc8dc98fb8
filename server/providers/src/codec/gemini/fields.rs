//! Reads Google's objects, whose fields may be spelled `camelCase` or `snake_case`.

use ralex_kernel::Problem;
use serde_json::{Number, Value};

use crate::codec::refuse::{self, Harmless, under};
use crate::ir::Given;
use crate::json::Object;

/// An object of the request, and where it stands.
#[derive(Clone, Debug)]
pub(in crate::codec) struct Fields<'a> {
    object: &'a Object,
    path: String,
}

impl<'a> Fields<'a> {
    pub fn new(value: &'a Value, path: impl Into<String>) -> Result<Self, Problem> {
        let path = path.into();
        Self::of(refuse::object(value, &path)?, path)
    }

    /// Refuses a field that stands in both spellings: the gateway could judge the one and Google
    /// obey the other.
    pub fn of(object: &'a Object, path: impl Into<String>) -> Result<Self, Problem> {
        let path = path.into();
        for key in object.keys().filter(|key| key.contains('_')) {
            if object.keys().any(|other| other != key && spells(key, other)) {
                return Err(Problem::field(under(&path, key), "stands in two spellings"));
            }
        }
        Ok(Self { object, path })
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn object(&self) -> &'a Object {
        self.object
    }

    /// The caller's spelling of a field, and its value unless it is null.
    pub fn entry(&self, name: &str) -> Option<(&'a str, &'a Value)> {
        let (key, value) = self.object.iter().find(|(key, _)| spells(key, name))?;
        (!value.is_null()).then_some((key.as_str(), value))
    }

    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.entry(name).map(|(_, value)| value)
    }

    /// Where a field stands, in the caller's spelling.
    pub fn at(&self, name: &str) -> String {
        under(&self.path, self.entry(name).map_or(name, |(key, _)| key))
    }

    pub fn child(&self, name: &str) -> Result<Option<Self>, Problem> {
        self.get(name).map(|value| Self::new(value, self.at(name))).transpose()
    }

    /// The objects of a field that is an array, each with its place.
    pub fn children(&self, name: &str) -> Result<Vec<Self>, Problem> {
        let at = self.at(name);
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or_else(|| Problem::field(&at, "must be an array"))?;
        let each = list.iter().enumerate();
        each.map(|(index, value)| Self::new(value, format!("{at}[{index}]"))).collect()
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::field(self.at(name), "must be a text")),
        }
    }

    pub fn required(&self, name: &str) -> Result<&'a str, Problem> {
        self.text(name)?.ok_or_else(|| Problem::field(self.at(name), "must be a text"))
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Problem::field(self.at(name), "must be true or false")),
        }
    }

    pub fn whole(&self, name: &str) -> Result<Option<u64>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) if number > 0 => Ok(Some(number)),
                _ => Err(Problem::field(self.at(name), "must be a whole number above zero")),
            },
        }
    }

    pub fn number(&self, name: &str) -> Result<Option<Given<Number>>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(Given::new(self.at(name), number.clone()))),
            Some(_) => Err(Problem::field(self.at(name), "must be a number")),
        }
    }

    /// Refuses every field that is neither carried nor harmless nor empty.
    pub fn rest(&self, carried: &[&str], harmless: &[(&str, Harmless)]) -> Result<(), Problem> {
        let others =
            self.object.iter().filter(|(key, _)| !carried.iter().any(|name| spells(key, name)));
        let others = others.map(|(key, value)| {
            let known = harmless.iter().find(|(name, _)| spells(key, name));
            (key, known.map_or(key.as_str(), |(name, _)| name), value)
        });
        for (key, name, value) in others {
            let alone = crate::json::object([(name, value.clone())]);
            if refuse::rest(&alone, &self.path, &[], harmless).is_err() {
                return Err(refuse::unsupported(under(&self.path, key), "cannot be carried"));
            }
        }
        Ok(())
    }
}

/// True where a key is the `camelCase` name itself, or its `snake_case` form.
pub(crate) fn spells(key: &str, name: &str) -> bool {
    let mut left = key.chars();
    for wanted in name.chars() {
        match left.next() {
            Some(found) if found == wanted => {}
            Some('_') if wanted.is_ascii_uppercase() => {
                if left.next() != Some(wanted.to_ascii_lowercase()) {
                    return false;
                }
            }
            _ => return false,
        }
    }
    left.next().is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_of_a_name_are_read_and_nothing_else() {
        assert!(spells("maxOutputTokens", "maxOutputTokens"));
        assert!(spells("max_output_tokens", "maxOutputTokens"));
        assert!(!spells("max_Output_tokens", "maxOutputTokens"));
        assert!(!spells("max_output_tokens_", "maxOutputTokens"));
        assert!(!spells("maxOutput", "maxOutputTokens"));
        assert!(spells("text", "text"));
    }

    #[test]
    fn a_field_in_two_spellings_is_refused() {
        let body = json!({ "max_output_tokens": 1, "maxOutputTokens": 9 });
        let problem = Fields::new(&body, "generationConfig").unwrap_err();
        assert_eq!(problem.errors[0].path, "generationConfig.max_output_tokens");
    }

    #[test]
    fn a_field_is_named_as_the_caller_spells_it() {
        let body = json!({ "top_p": "x", "other_thing": 1 });
        let fields = Fields::new(&body, "").unwrap();
        assert_eq!(fields.number("topP").unwrap_err().errors[0].path, "top_p");
        let problem = fields.rest(&["topP"], refuse::NOTHING).unwrap_err();
        assert_eq!(problem.errors[0].path, "other_thing");
    }
}
