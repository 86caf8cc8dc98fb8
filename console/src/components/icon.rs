//! Icons: strokes on a 16-unit grid, decoration only; words stand beside them or in a label.

use yew::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Gauge,
    Prompt,
    List,
    Chart,
    Wallet,
    Layers,
    Stack,
    People,
    Key,
    Cube,
    Plug,
    Pulse,
    Bell,
    Shield,
    Funnel,
    Rule,
    Fork,
    Plus,
    Close,
    Copy,
    Check,
    Warn,
    Info,
    Menu,
    Search,
    Trash,
    Edit,
    Rotate,
    Download,
    Stop,
    Play,
    User,
    SignOut,
    Eye,
    Down,
    External,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Gauge => "M2.5 12a5.5 5.5 0 1 1 11 0M8 12l2.5-4",
            Self::Prompt => "M2 3h12v9H6l-4 2.5zM5 6.5l1.5 1L5 8.5M8.5 9H11",
            Self::List => "M2.5 4h11M2.5 8h11M2.5 12h7",
            Self::Chart => "M2.5 2.5v11h11M5.5 11V8M8.5 11V4.5M11.5 11V6.5",
            Self::Wallet => "M2.5 4.5h11v9h-11zM2.5 4.5l8-2v2M10.5 9h1",
            Self::Stack => "M3 2.5h10v3H3zM3 8h10v5.5H3zM5.5 10.7h5",
            Self::Layers => "M8 2l6 3-6 3-6-3zM2 8l6 3 6-3M2 11l6 3 6-3",
            Self::People => {
                "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.5 2.7a2.5 2.5 0 0 1 0 4.6M12 9.8c1.6.5 2.5 1.8 2.5 3.7"
            }
            Self::Key => "M5.5 13.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM7.7 8.3l5.8-5.8M11 5l2 2",
            Self::Cube => "M8 1.8l5.5 3v6.4L8 14.2l-5.5-3V4.8zM2.5 4.8L8 8l5.5-3.2M8 8v6.2",
            Self::Plug => "M5.5 2v4M10.5 2v4M3.5 6h9v2a4.5 4.5 0 0 1-9 0zM8 12.5v2",
            Self::Bell => {
                "M3.5 11.5c1-1 1-2.2 1-4a3.5 3.5 0 0 1 7 0c0 1.8 0 3 1 4zM6.5 13.5a1.6 1.6 0 0 0 3 0"
            }
            Self::Pulse => "M1.5 8h3l2-4.5 3 9 2-4.5h3",
            Self::Shield => {
                "M8 1.8l5 2v4c0 3-2 5.3-5 6.4-3-1.1-5-3.4-5-6.4v-4zM5.8 8l1.6 1.6 3-3.2"
            }
            Self::Funnel => "M2 3h12l-4.5 5.5v4.7l-3-1.7v-3z",
            Self::Rule => "M8 2v11.5M4.5 13.5h7M2.5 4.5h11M2.5 4.5L1 9h3zM13.5 4.5L12 9h3z",
            Self::Fork => "M2 8h4l4-4.5h4M6 8l4 4.5h4M12 1.8l2 1.7-2 1.7M12 10.8l2 1.7-2 1.7",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Close => "M4 4l8 8M12 4l-8 8",
            Self::Copy => "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
            Self::Check => "M3 8.5l3.2 3L13 4.5",
            Self::Warn => "M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.1",
            Self::Info => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.3v3.5M8 5.2v.1",
            Self::Menu => "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
            Self::Search => "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3l3.2 3.2",
            Self::Trash => "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.7 9h6.6l.7-9M6.7 7v4M9.3 7v4",
            Self::Edit => "M2.5 13.5l.6-3 7.9-8 2.5 2.5-8 7.9zM9.5 4l2.5 2.5",
            Self::Rotate => "M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3",
            Self::Download => "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M2.5 13.5h11",
            Self::Stop => "M4 4h8v8H4z",
            Self::Play => "M4.5 3l8 5-8 5z",
            Self::User => {
                "M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8zM2.5 14c0-2.5 2.5-4 5.5-4s5.5 1.5 5.5 4"
            }
            Self::SignOut => "M6.5 2.5h-4v11h4M6 8h7.5M10.5 5l3 3-3 3",
            Self::Eye => {
                "M1.5 8C3 5 5.3 3.5 8 3.5S13 5 14.5 8C13 11 10.7 12.5 8 12.5S3 11 1.5 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z"
            }
            Self::Down => "M4 6l4 4 4-4",
            Self::External => "M6.5 3.5h-4v10h10v-4M9 2.5h4.5V7M13.5 2.5L7.5 8.5",
        }
    }

    /// The icon, invisible to a screen reader.
    pub fn show(self) -> Html {
        html! {
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
                <path d={self.path()} />
            </svg>
        }
    }
}
