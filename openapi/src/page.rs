//! Pages of a list: a cursor goes in, items and the next cursor come out.

use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Pass as `cursor` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Where to go on in a list, and how far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct PageQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many items, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

pub const PAGE_DEFAULT: u32 = 50;
pub const PAGE_MAX: u32 = 500;

impl PageQuery {
    /// The page size asked for, within its bounds.
    pub fn size(&self) -> i64 {
        i64::from(self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX))
    }
}

impl PageQuery {
    /// The item after which the page starts, by its id.
    pub fn after<T: std::str::FromStr>(&self) -> Result<Option<T>, ralex_kernel::Problem> {
        self.cursor
            .as_deref()
            .map(|text| {
                text.parse().map_err(|_| {
                    ralex_kernel::Problem::field("cursor", "is not a cursor of this list")
                })
            })
            .transpose()
    }
}

impl<T> Page<T> {
    /// A page of a list that is here in whole, from the place in it that `cursor` names; all of the
    /// rest where there is no limit.
    pub fn within(
        items: Vec<T>,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Self, ralex_kernel::Problem> {
        let wrong = |_| ralex_kernel::Problem::field("cursor", "is not a cursor of this list");
        let from: usize = cursor.map(str::parse).transpose().map_err(wrong)?.unwrap_or(0);
        let most = limit.map_or(items.len(), |limit| limit.clamp(1, PAGE_MAX) as usize);
        let next = from.saturating_add(most);
        let next_cursor = (next < items.len()).then(|| next.to_string());
        let items = items.into_iter().skip(from).take(most).collect();
        Ok(Self { items, next_cursor })
    }

    /// A page of at most `size` items from up to `size + 1` that were fetched; `cursor` names the
    /// last one that is shown.
    pub fn of(mut items: Vec<T>, size: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next_cursor = if more { items.last().map(cursor) } else { None };
        Self { items, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_here_in_whole_is_paged_like_any_other() {
        let page = |cursor, limit| Page::within(vec![1, 2, 3], cursor, limit).unwrap();
        let all = Page { items: vec![1, 2, 3], next_cursor: None };
        assert_eq!(page(None, None), all);
        let first = page(None, Some(2));
        assert_eq!(
            (first.items.as_slice(), first.next_cursor.as_deref()),
            (&[1, 2][..], Some("2"))
        );
        assert_eq!(page(Some("2"), Some(2)), Page { items: vec![3], next_cursor: None });
        assert_eq!(page(Some("9"), Some(2)).items, [0; 0]);
        assert!(Page::within(vec![1], Some("x"), None).is_err());
    }
}
