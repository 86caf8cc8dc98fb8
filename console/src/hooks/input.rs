//! A field of a form: what is in it, and what is wrong with it once it was left.

use std::cell::Cell;
use std::rc::Rc;
use std::str::FromStr;

use wasm_bindgen::JsCast;
use yew::prelude::*;

/// Says what is wrong with a text, or nothing.
type Check = Rc<dyn Fn(&str) -> Option<String>>;

thread_local! {
    static NEXT: Cell<u32> = const { Cell::new(1) };
}

/// A text field's state; its rules are those of the type that the request carries.
#[derive(Clone)]
pub struct Input {
    pub id: AttrValue,
    value: UseStateHandle<String>,
    left: UseStateHandle<bool>,
    /// What the page was drawn with. The handles always tell the newest, so that two of them never
    /// differ and a field would not be drawn anew.
    seen: (AttrValue, bool),
    check: Check,
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.seen == other.seen
    }
}

impl Input {
    pub fn text(&self) -> String {
        (*self.value).clone()
    }

    /// The text as the type that the request carries; `None` while it is not one.
    pub fn parsed<T: FromStr>(&self) -> Option<T> {
        self.value.trim().parse().ok()
    }

    /// The text where there is any.
    pub fn filled(&self) -> Option<String> {
        Some(self.value.trim().to_owned()).filter(|text| !text.is_empty())
    }

    pub fn set(&self, text: impl Into<String>) {
        self.value.set(text.into());
    }

    pub fn leave(&self) {
        self.left.set(true);
    }

    /// What is wrong, whether or not the reader is told yet.
    pub fn fault(&self) -> Option<String> {
        (self.check)(&self.value)
    }

    /// What to tell: nothing before the field was left for the first time.
    pub fn told(&self) -> Option<String> {
        self.fault().filter(|_| *self.left)
    }

    pub fn focus(&self) {
        let document = web_sys::window().and_then(|window| window.document());
        let element = document.and_then(|document| document.get_element_by_id(&self.id));
        if let Some(element) =
            element.and_then(|found| found.dyn_into::<web_sys::HtmlElement>().ok())
        {
            // A field that cannot take the focus is gone; nothing is lost.
            let _ = element.focus();
        }
    }
}

/// A field that starts as `initial`.
#[hook]
pub fn use_input<C>(initial: &str, check: C) -> Input
where
    C: Fn(&str) -> Option<String> + 'static,
{
    use_checked(initial, Rc::new(check))
}

/// The same for every check.
#[hook]
fn use_checked(initial: &str, check: Check) -> Input {
    let id = use_memo((), |()| unique());
    let value = use_state(|| initial.to_owned());
    let left = use_state(|| false);
    let seen = (AttrValue::from((*value).clone()), *left);
    Input { id: (*id).clone(), value, left, seen, check }
}

/// An id that no other element of the page has.
pub fn unique() -> AttrValue {
    let number = NEXT.get();
    NEXT.set(number + 1);
    format!("f{number}").into()
}

/// Whatever is in it.
pub fn anything(_: &str) -> Option<String> {
    None
}

/// Not nothing.
pub fn needed(text: &str) -> Option<String> {
    text.trim().is_empty().then(|| "Fill this in.".to_owned())
}

/// The rules of the type that it becomes (`Slug`, `Money`, …), as that type tells them.
pub fn parses<T: FromStr<Err: ToString>>(text: &str) -> Option<String> {
    if let Some(empty) = needed(text) {
        return Some(empty);
    }
    text.trim().parse::<T>().err().map(|error| sentence(&error.to_string()))
}

/// The same, or nothing at all.
pub fn parses_if_filled<T: FromStr<Err: ToString>>(text: &str) -> Option<String> {
    if text.trim().is_empty() { None } else { parses::<T>(text) }
}

/// A whole number from one up.
pub fn count(text: &str) -> Option<String> {
    match text.trim().parse::<u32>() {
        Ok(1..) => None,
        Ok(0) | Err(_) => Some("Enter a whole number from 1 up.".to_owned()),
    }
}

/// An amount that is more than nothing.
pub fn positive_money(text: &str) -> Option<String> {
    parses::<ralex_kernel::Money>(text).or_else(|| {
        let positive =
            text.trim().parse::<ralex_kernel::Money>().is_ok_and(ralex_kernel::Money::is_positive);
        (!positive).then(|| "Enter more than 0.".to_owned())
    })
}

/// A price that is not below nothing.
pub fn price(text: &str) -> Option<String> {
    parses::<ralex_kernel::Price>(text)
        .or_else(|| text.trim().starts_with('-').then(|| "A price is 0 or more.".to_owned()))
}

/// Long enough for a password.
pub fn password(text: &str) -> Option<String> {
    use ralex_api::identity::{PASSWORD_MAX, PASSWORD_MIN};
    let length = text.chars().count();
    if length < PASSWORD_MIN {
        return Some(format!("Use at least {PASSWORD_MIN} characters; {length} so far."));
    }
    (text.len() > PASSWORD_MAX).then(|| format!("Use at most {PASSWORD_MAX} characters."))
}

/// `is not an amount` → `It is not an amount.`
pub fn sentence(rule: &str) -> String {
    let mut letters = rule.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let text: String = first.into_iter().chain(letters).collect();
    if text.ends_with('.') { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use ralex_kernel::{Email, Money, Slug};

    use super::*;

    #[test]
    fn a_field_has_the_rules_of_its_type() {
        assert_eq!(parses::<Slug>("team-a"), None);
        assert!(parses::<Slug>("Team A").is_some_and(|told| told.starts_with("Must be 1 to 63")));
        assert_eq!(parses::<Email>(""), Some("Fill this in.".into()));
        assert_eq!(parses_if_filled::<Money>(""), None);
        assert!(parses_if_filled::<Money>("1,5").is_some());
    }

    #[test]
    fn an_amount_of_nothing_is_no_budget() {
        assert_eq!(positive_money("0.000000001"), None);
        assert_eq!(positive_money("0"), Some("Enter more than 0.".into()));
        assert!(positive_money("-1").is_some() && price("-1").is_some());
        assert_eq!(price("0"), None);
    }

    #[test]
    fn a_short_password_is_told_how_short_it_is() {
        assert_eq!(password("secret"), Some("Use at least 8 characters; 6 so far.".into()));
        assert_eq!(password("twelve chars"), None);
        assert!(password(&"x".repeat(257)).is_some());
    }

    #[test]
    fn a_count_starts_at_one() {
        assert_eq!(count("1"), None);
        for bad in ["0", "", "-1", "1.5", "many"] {
            assert!(count(bad).is_some(), "{bad}");
        }
    }
}
