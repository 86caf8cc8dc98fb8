//! Languages of a prompt: the one it is written in, those it is about, and the files it names.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::LazyLock;

use super::text::Parts;

/// So many characters show a language; more cost time only.
const ENOUGH: usize = 400;
/// Below this many letters the guess of a language in Latin script is chance.
const TOO_FEW: usize = 24;

/// Words that stand in every few lines of one language and in those of no other, so that most
/// texts need no comparison with the letters of forty.
const COMMON: [(&str, &str); 7] = [
    (
        "eng",
        "the and of with this that what how please my you your write which would \
         should could from are have has does into these about there their it's than \
         when where why give explain",
    ),
    (
        "deu",
        "der das und nicht ist ein eine einen einer für auf bitte wie wir ich sind \
         oder dem zu von sich auch wird werden einem zum zur",
    ),
    ("fra", "les une est dans avec vous nous et cette aux pour votre être où ces"),
    ("spa", "el los las cómo qué pero está más hay"),
    ("ita", "il che gli della sono questo questa di è nel dei delle alla dal più un'"),
    ("por", "não uma em você são ao meu minha é mais seu isso pelo"),
    ("nld", "het een voor niet zijn ik deze naar ook wij mijn maar bij wordt"),
];

static COMMON_WORDS: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
    let lists = COMMON.iter().enumerate();
    lists.flat_map(|(at, (_, words))| words.split(' ').map(move |word| (word, at))).collect()
});

/// Words and fence tags that name a programming language, and its one name here.
const PROGRAMMING: [(&str, &str); 58] = [
    ("rust", "rust"),
    ("rs", "rust"),
    ("cargo", "rust"),
    ("python", "python"),
    ("py", "python"),
    ("pandas", "python"),
    ("django", "python"),
    ("flask", "python"),
    ("pytest", "python"),
    ("javascript", "javascript"),
    ("js", "javascript"),
    ("node", "javascript"),
    ("nodejs", "javascript"),
    ("jsx", "javascript"),
    ("react", "javascript"),
    ("typescript", "typescript"),
    ("ts", "typescript"),
    ("tsx", "typescript"),
    ("angular", "typescript"),
    ("java", "java"),
    ("spring", "java"),
    ("kotlin", "kotlin"),
    ("kt", "kotlin"),
    ("swift", "swift"),
    ("golang", "go"),
    ("goroutine", "go"),
    ("c++", "cpp"),
    ("cpp", "cpp"),
    ("c#", "csharp"),
    ("csharp", "csharp"),
    ("cs", "csharp"),
    (".net", "csharp"),
    ("php", "php"),
    ("laravel", "php"),
    ("ruby", "ruby"),
    ("rb", "ruby"),
    ("rails", "ruby"),
    ("sql", "sql"),
    ("postgres", "sql"),
    ("postgresql", "sql"),
    ("mysql", "sql"),
    ("sqlite", "sql"),
    ("bash", "shell"),
    ("sh", "shell"),
    ("zsh", "shell"),
    ("shell", "shell"),
    ("powershell", "powershell"),
    ("html", "html"),
    ("css", "css"),
    ("scala", "scala"),
    ("haskell", "haskell"),
    ("elixir", "elixir"),
    ("perl", "perl"),
    ("lua", "lua"),
    ("dart", "dart"),
    ("flutter", "dart"),
    ("terraform", "terraform"),
    ("dockerfile", "docker"),
];

static PROGRAMMING_WORDS: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| PROGRAMMING.into_iter().collect());

/// Endings that name a file's type in a prompt.
const ENDINGS: [&str; 52] = [
    "rs", "py", "js", "jsx", "ts", "tsx", "go", "java", "kt", "swift", "c", "h", "cpp", "hpp",
    "cs", "php", "rb", "sql", "sh", "ps1", "html", "css", "scss", "vue", "svelte", "md", "txt",
    "json", "yaml", "yml", "toml", "xml", "csv", "tsv", "pdf", "docx", "xlsx", "pptx", "png",
    "jpg", "jpeg", "gif", "svg", "mp3", "wav", "mp4", "log", "ipynb", "proto", "tf", "lock", "ini",
];

/// The natural language, where it shows, and the programming languages by name.
pub(crate) fn of(parts: &Parts<'_>) -> (Option<&'static str>, Vec<String>) {
    (natural(&parts.prose), programming(parts))
}

fn natural(prose: &str) -> Option<&'static str> {
    let part = &prose[..prose.floor_char_boundary(ENOUGH.min(prose.len()))];
    let letters = part.chars().filter(|c| c.is_alphabetic()).count();
    if letters == 0 {
        return None;
    }
    if let Some(language) = by_words(part) {
        return Some(language);
    }
    let found = whatlang::detect(part)?;
    let latin = found.script() == whatlang::Script::Latin;
    // What is short and plain is English more often than what chance makes of it.
    let plain = latin && !found.is_reliable() && part.is_ascii();
    if plain && (letters < TOO_FEW || is_english(part)) {
        return Some(whatlang::Lang::Eng.code());
    }
    Some(found.lang().code())
}

/// The language whose common words stand there, and no other's.
fn by_words(part: &str) -> Option<&'static str> {
    let (mut hits, mut words, mut lower) = ([0; COMMON.len()], 0, String::new());
    for word in part.split(|c: char| !c.is_alphanumeric() && c != '\'') {
        words += usize::from(!word.is_empty());
        lower.clear();
        lower.extend(word.chars().flat_map(char::to_lowercase));
        if let Some(at) = COMMON_WORDS.get(lower.as_str()) {
            hits[*at] += 1;
        }
    }
    let (at, most) = hits.iter().copied().enumerate().max_by_key(|(_, count)| *count)?;
    let others = hits.iter().sum::<usize>() - most;
    (most >= 2 && most * 8 >= words && others * 4 <= most).then_some(COMMON[at].0)
}

/// One in seven words of English is one of these.
fn is_english(part: &str) -> bool {
    const WORDS: [&str; 28] = [
        "the", "a", "an", "to", "of", "and", "in", "is", "it", "this", "that", "for", "with",
        "how", "what", "my", "i", "you", "write", "are", "from", "on", "as", "be", "me", "please",
        "find", "give",
    ];
    let words = part.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let (all, known) = words.fold((0, 0), |(all, known), word| {
        (all + 1, known + usize::from(WORDS.contains(&word.to_ascii_lowercase().as_str())))
    });
    known * 7 >= all
}

fn programming(parts: &Parts<'_>) -> Vec<String> {
    let named = |word: &str| PROGRAMMING_WORDS.get(word).map(|name| (*name).to_owned());
    let apart = |c: char| !c.is_alphanumeric() && !matches!(c, '+' | '#' | '.');
    let words = parts.lower.split(apart).map(|word| word.trim_end_matches('.'));
    let tags = parts.tags.iter().map(|tag| tag.trim());
    let mut found: BTreeSet<String> = words.chain(tags).filter_map(named).collect();
    if parts.tags.contains(&"go") || parts.lower.contains("in go ") {
        found.insert("go".to_owned());
    }
    found.into_iter().collect()
}

/// Endings of the files that a prompt names.
pub(crate) fn file_types(parts: &Parts<'_>) -> Vec<String> {
    let apart =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | '(' | ')' | ':');
    let ending = |word: &str| {
        let ending = Path::new(word.trim_end_matches(['.', '?', '!'])).extension()?.to_str()?;
        ENDINGS.iter().find(|known| **known == ending).map(|known| (*known).to_owned())
    };
    let words = parts.lower.split(apart).filter(|word| word.contains('.'));
    let found: BTreeSet<String> = words.filter_map(ending).collect();
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_where_there_is_enough_to_tell() {
        let of = |text: &str| natural(&Parts::of(text).prose);
        assert_eq!(of("Bitte fasse den folgenden Text in drei Sätzen zusammen"), Some("deu"));
        assert_eq!(of("Escribe un poema sobre el mar y la noche en primavera"), Some("spa"));
        assert_eq!(of("この文章を英語に翻訳してください"), Some("jpn"));
        assert_eq!(of("fix typo"), Some("eng"));
        assert_eq!(of("12 + 30"), None);
    }

    #[test]
    fn no_common_word_is_one_of_two_languages() {
        let all = COMMON.iter().map(|(_, words)| words.split(' ').count()).sum::<usize>();
        assert_eq!(COMMON_WORDS.len(), all);
        let of = |text: &str| natural(&Parts::of(text).prose);
        // Too little for the letters alone, which make Latin and Danish of these.
        assert_eq!(of("what does `git rebase --onto main topic~3 topic` do exactly"), Some("eng"));
        assert_eq!(of("rate my code from 1-10 and say why"), Some("eng"));
    }

    #[test]
    fn files_and_programming_languages_are_named() {
        let parts = Parts::of("Port src/main.py and `lib/util.ts` to C++ please. See notes.md.");
        assert_eq!(file_types(&parts), ["md", "py", "ts"]);
        assert_eq!(programming(&parts), ["cpp"]);
        let parts = Parts::of("what does this do?\n```go\nfunc main() {}\n```");
        assert_eq!(programming(&parts), ["go"]);
    }
}
