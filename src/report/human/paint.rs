//! Colours by meaning.

use anstyle::{AnsiColor, Style};

/// Whether and how to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Not at all.
    Plain,
    /// With the sixteen colours that every terminal has, in the shades its owner chose.
    Ansi,
}

impl Paint {
    /// What stands out.
    pub(super) fn bold(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    /// What may be skipped.
    pub(super) fn dim(self, text: &str) -> String {
        self.style(Style::new().dimmed(), text)
    }

    /// What is as it should be, or best.
    pub(super) fn good(self, text: &str) -> String {
        self.style(AnsiColor::Green.on_default().bold(), text)
    }

    /// What is not as it should be.
    pub(super) fn bad(self, text: &str) -> String {
        self.style(AnsiColor::Red.on_default().bold(), text)
    }

    /// What cannot be told.
    pub(super) fn unsure(self, text: &str) -> String {
        self.style(AnsiColor::Yellow.on_default().bold(), text)
    }

    fn style(self, style: Style, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Ansi => format!("{style}{text}{style:#}"),
        }
    }
}
